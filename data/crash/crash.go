// Package crash turns panics into errors, so that a fault of the program ends
// one job, or the run with one line, and never takes down what others made. A
// goroutine that runs others' code runs it through Do; nothing else can stop a
// panic there from ending the process.
package crash

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// Panic is a panic as an error. Its text is one line; Stack is for who mends it.
type Panic struct {
	Value any
	At    string // file:line of this program
	Stack []byte
}

func (p *Panic) Error() string {
	text, _, _ := strings.Cut(fmt.Sprint(p.Value), "\n")
	return fmt.Sprintf("internal error: %s (at %s)", text, p.At)
}

// Unwrap is the error that was panicked with, if it was one.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Do calls f and returns its error, or a *Panic.
func Do(f func() error) (err error) {
	defer Catch(&err)
	return f()
}

// Catch makes a panic of the function that defers it the error it returns.
func Catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case *Panic: // that a Group passed on
		*err = p
	default:
		*err = &Panic{Value: p, At: site(), Stack: debug.Stack()}
	}
}

// module begins the names of this program's functions.
const module = "wsss/"

// site is where this program was when it panicked, the innermost place that is
// not of this package: "file.go:12".
func site() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, module) && !strings.HasPrefix(f.Function, module+"data/crash.") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// Group runs goroutines that give no errors. A panic of one becomes a panic of
// Wait, with the stack of where it was.
type Group struct {
	wg    sync.WaitGroup
	mu    sync.Mutex
	first *Panic
}

// Go runs f.
func (g *Group) Go(f func()) {
	g.wg.Go(func() {
		if err := Do(func() error { f(); return nil }); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.first == nil {
				g.first, _ = err.(*Panic)
			}
		}
	})
}

// Wait waits for all of them.
func (g *Group) Wait() {
	g.wg.Wait()
	if g.first != nil {
		panic(g.first)
	}
}
