package crash

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestDo(t *testing.T) {
	if err := Do(func() error { return io.EOF }); err != io.EOF {
		t.Errorf("an error came back as %v", err)
	}
	err := Do(func() error { var none []int; _ = none[3]; return nil })
	var p *Panic
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "index out of range") || strings.Contains(err.Error(), "\n") || !strings.Contains(string(p.Stack), "TestDo") {
		t.Errorf("a panic came back as %v", err)
	}
	err = Do(func() error { panic(errors.Join(io.ErrNoProgress, io.EOF)) })
	if !errors.Is(err, io.EOF) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a panic with errors: %v", err)
	}
}

// TestGroup: a panic in a goroutine is one in Wait, and says where it was.
func TestGroup(t *testing.T) {
	err := Do(func() error {
		var g Group
		for i := range 8 {
			g.Go(func() {
				if i == 5 {
					panic("five")
				}
			})
		}
		g.Wait()
		return nil
	})
	var p *Panic
	if !errors.As(err, &p) || p.Value != "five" || !strings.Contains(string(p.Stack), "TestGroup") {
		t.Errorf("error %v", err)
	}
}
