package terminal

import "testing"

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, übergröße, 漢字\n\tx": "plain text, übergröße, 漢字\n\tx",
		"a\x1b]0;title\x07b":             `a\u001b]0;title\u0007b`,
		"a\rb\x7f":                       `a\u000db\u007f`,
		"\u009b31m":                      `\u009b31m`,
		"\u202etxt.exe":                  `\u202etxt.exe`,
		"\xff\xfe":                       `\xff\xfe`,
		"\x00":                           `\u0000`,
	} {
		if got := string(Visible([]byte(in))); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
