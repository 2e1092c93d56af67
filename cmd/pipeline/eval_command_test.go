package pipeline

import "testing"

// TestCommandLine: what a report shows can be pasted into a shell.
func TestCommandLine(t *testing.T) {
	for want, args := range map[string][]string{
		`wsss eval -config my.toml -set train.batch=8`:                        {"eval", "-config", "my.toml", "-set", "train.batch=8"},
		`wsss -set 'out=s3://b/run?endpoint=http://h:1&use_path_style=true'`:  {"-set", "out=s3://b/run?endpoint=http://h:1&use_path_style=true"},
		`wsss -set 'gen.options={a="b c"}' -set 'name=Anna'\''s' '' -set n=ä`: {"-set", `gen.options={a="b c"}`, "-set", "name=Anna's", "", "-set", "n=ä"},
	} {
		if got := commandLine("wsss", args); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
