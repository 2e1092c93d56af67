package review

import (
	"testing"

	"wsss/eval/browsertest"
)

// TestAxe asks axe-core what a person with a screen reader or a keyboard would
// run into.
func TestAxe(t *testing.T) {
	axe := browsertest.Axe(t)
	b := browsertest.Start(t)
	b.Call("Page.setBypassCSP", map[string]any{"enabled": true}, nil)
	ds := newData(t, []string{"a", "b"}, 320, 240, true, manyNames(80)...)
	s, _ := serve(t, newOptions(t, ds))
	p := openPage(t, b, s.URL())
	p.Key("g")
	for _, scheme := range []string{"light", "dark"} {
		b.Call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		for _, v := range p.Violations(axe) {
			t.Errorf("%s: %s", scheme, v)
		}
	}
	p.Key("?")
	for _, v := range p.Violations(axe) {
		t.Errorf("help: %s", v)
	}
}
