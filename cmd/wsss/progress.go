package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows the progress of one stage: a bar with ETA on a terminal, one line
// at the end elsewhere.
type bar struct {
	mu    sync.Mutex
	title string
	quiet bool
	tty   bool
	start time.Time
	first int // items done before this run began
	done  int
	total int
	bar   *progressbar.ProgressBar
}

func newBar(title string, quiet bool) *bar {
	tty := term.IsTerminal(int(os.Stderr.Fd()))
	return &bar{title: title, quiet: quiet, tty: tty && !quiet, start: time.Now(), first: -1}
}

// update is the callback that long work reports to; safe for concurrent use.
func (b *bar) update(done, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.first < 0 {
		b.first = 0
		if done > 1 { // the others were done before
			b.first, b.start = done, time.Now()
		}
	}
	b.done, b.total = max(done, b.done), total
	if !b.tty {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(fmt.Sprintf("%-28s", b.title)),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
	_ = b.bar.Set(b.done) // drawing may fail; the work must not
}

// abort takes the bar off the screen; the error says the rest.
func (b *bar) abort() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}

// finish closes the bar and prints one line with what was done.
func (b *bar) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Clear()
	}
	if b.quiet {
		return
	}
	fresh := b.done - max(b.first, 0)
	took := time.Since(b.start)
	switch {
	case b.total == 0 || fresh <= 0:
		fmt.Fprintf(os.Stderr, "%-28s %d done already\n", b.title, b.done)
	default:
		fmt.Fprintf(os.Stderr, "%-28s %d/%d in %s (%.1f/s)\n", b.title, b.done, b.total, took.Round(100*time.Millisecond), float64(fresh)/took.Seconds())
	}
}
