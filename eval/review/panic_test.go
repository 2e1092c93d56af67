package review

import (
	"context"
	"errors"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/crash"
	"wsss/gen"
)

// broken is a model, or a decoder, that panics.
type broken struct{ data.Dataset }

func (broken) Load(string, data.Want) (*data.Sample, error) { panic("decoder") }

func (broken) Look(context.Context, *data.Sample) (gen.Looked, error) { panic("model") }

// wantPanic checks that a panic came back as an error.
func wantPanic(t *testing.T, err error, text string) {
	t.Helper()
	var p *crash.Panic
	if !errors.As(err, &p) || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want the panic %q", err, text)
	}
}

// TestPanicAhead: what panics in work ahead of the user is told to who asks for it, each
// time, and does not end the server.
func TestPanicAhead(t *testing.T) {
	for _, text := range []string{"model", "decoder"} {
		o := newOptions(t, newData(t, []string{"a", "b"}, 64, 48, true, "thing"))
		if o.Prompter = (broken{}); text == "decoder" {
			o.Dataset.Dataset = broken{o.Dataset.Dataset}
		}
		s := New(o)
		s.pictures.ahead(0)
		s.pictures.work <- struct{}{} // it has ended
		for range 2 {
			p, err := s.pictures.get(t.Context(), "a")
			if text == "decoder" {
				wantPanic(t, err, text)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			<-p.foresee(t.Context(), []op{{Prompt: &wirePrompt{Class: 1, Box: &[4]float32{4, 4, 30, 30}}}})
			err = crash.Do(func() error { _, err := p.look(t.Context()); return err })
			wantPanic(t, err, text)
		}
	}
}
