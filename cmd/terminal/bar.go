package terminal

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"wsss/cmd/pipeline"
	"wsss/models/backend"
)

// Where there is no terminal a line tells how far a stage is, at least as often
// as this.
var (
	lineEvery   = 30 * time.Second
	lineUpdates = 50 // of a training
)

// Bar shows the progress of one stage: a bar with ETA on a terminal, a line now
// and then elsewhere, and one at the end.
type Bar struct {
	mu    sync.Mutex
	title string
	quiet bool
	tty   bool
	start time.Time
	first int // items done before this run began
	done  int
	total int
	bar   *progressbar.ProgressBar

	images int            // of a training update; 0 = the items are images
	learns map[int]string // what a training says of its last update, by network

	compiled  int         // graphs when the stage began
	compiling bool        // one more since the last update
	slow      func() bool // tells whether that takes long enough to be said

	said  int         // items done when the last line was printed
	lines int         // printed
	timer *time.Timer // until the next line; nil on a terminal
	ended bool
}

// NewBar begins a stage on standard error; a quiet one says nothing.
func NewBar(title string, quiet bool) *Bar {
	tty := term.IsTerminal(int(os.Stderr.Fd()))
	b := &Bar{title: string(Visible([]byte(title))), quiet: quiet, tty: tty && !quiet, start: time.Now(), first: -1, compiled: backend.Compilations(), slow: backend.CompilesLong}
	if !quiet && !tty {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.timer = time.AfterFunc(lineEvery, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.line()
		})
	}
	backend.WatchCompilations(b.compile)
	return b
}

// Trains is pipeline.Stage's.
func (b *Bar) Trains(images int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.images = images; b.learns == nil {
		b.learns = map[int]string{}
	}
}

// Learned is pipeline.Stage's.
func (b *Bar) Learned(net int, loss, rate float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.learns[net] = fmt.Sprintf("loss %.4f, lr %.3g", loss, rate)
}

// Update is the callback that long work reports to; safe for concurrent use.
func (b *Bar) Update(done, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.first < 0 {
		b.first = 0
		if done > 1 { // the others were done before
			b.first, b.start = done, time.Now()
		}
		b.said = b.first
	}
	b.done, b.total = max(done, b.done), total
	b.compiling = false
	if b.timer != nil && b.images > 0 && b.done-b.said >= lineUpdates && b.done < total {
		b.line()
	}
	if !b.tty {
		return
	}
	b.draw()
	b.describe()
	_ = b.bar.Set(b.done) // drawing may fail; the work must not
}

// draw makes the bar of a terminal, or tells it how much there is to do.
func (b *Bar) draw() {
	total := max(b.total, 1)
	if b.bar == nil {
		b.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(fmt.Sprintf("%-28s", b.title)),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
	if b.bar.GetMax() != total {
		b.bar.ChangeMax(total)
	}
}

// compile notes that the engine builds a graph, which can take minutes.
func (b *Bar) compile() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.compiling = true; b.tty && !b.ended {
		b.draw()
		b.describe()
	}
}

// compilation is "compiling, shape 3 of about 17", or "" when nothing is
// compiled.
func (b *Bar) compilation() string {
	if !b.compiling || !b.slow() {
		return ""
	}
	n, all := backend.Compilations()-b.compiled, backend.Foreseen()-b.compiled
	if all < n {
		return fmt.Sprintf("compiling, shape %d", n)
	}
	return fmt.Sprintf("compiling, shape %d of about %d", n, all)
}

// describe puts the title of the bar, and what there is to say, in front of it.
func (b *Bar) describe() {
	text := b.learning()
	if c := b.compilation(); c != "" {
		text = c
	}
	if text == "" {
		text = b.title
	} else {
		text = fmt.Sprintf("%-28s %s", b.title, text)
	}
	b.bar.Describe(fmt.Sprintf("%-28s", text))
}

// learning is what the networks say, "loss 0.41, lr 0.001".
func (b *Bar) learning() string {
	text := ""
	for net := range len(b.learns) {
		if text != "" {
			text += " | "
		}
		text += b.learns[net]
	}
	return text
}

// line prints how far the stage is, and winds the timer up again. The lock is
// held.
func (b *Bar) line() {
	if b.ended || b.timer == nil {
		return
	}
	b.said = b.done
	b.lines++
	b.timer.Reset(lineEvery)
	fmt.Fprintf(Err, "%-28s %s\n", b.title, b.state())
}

// state is "120/600, loss 0.41, lr 0.001, 31.2 images/s, ETA 2m0s, peak memory
// 812 MiB".
func (b *Bar) state() string {
	text := fmt.Sprintf("%d/%d", b.done, b.total)
	if b.total == 0 {
		text = "begins"
	}
	if l := b.learning(); l != "" {
		text += ", " + l
	}
	if c := b.compilation(); c != "" {
		text += ", " + c
	}
	took := time.Since(b.start)
	if fresh := b.done - max(b.first, 0); fresh > 0 {
		each := took / time.Duration(fresh)
		text += fmt.Sprintf(", %.3g images/s, ETA %s", float64(fresh*max(b.images, 1))/took.Seconds(), (time.Duration(b.total-b.done) * each).Round(time.Second))
	} else {
		text += fmt.Sprintf(", for %s", took.Round(time.Second))
	}
	if peak := pipeline.PeakMemory(); peak > 0 && b.images > 0 {
		text += fmt.Sprintf(", peak memory %d MiB", peak>>20)
	}
	return text
}

// Abort takes the bar off the screen; the error says the rest.
func (b *Bar) Abort() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
}

// end takes the bar off the screen. The lock is held.
func (b *Bar) end() {
	b.ended = true
	backend.WatchCompilations(nil)
	backend.ForeseeCompilations(0) // what this stage did without is not the next one's
	if b.timer != nil {
		b.timer.Stop()
	}
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}

// Finish closes the bar and prints one line with what was done.
func (b *Bar) Finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	if b.quiet {
		return
	}
	fresh := b.done - max(b.first, 0)
	took := time.Since(b.start)
	switch {
	case b.done == 0: // a stage that is skipped whole counts nothing
		fmt.Fprintf(Err, "%-28s done already\n", b.title)
	case b.total == 0 || fresh <= 0:
		fmt.Fprintf(Err, "%-28s %d done already\n", b.title, b.done)
	default:
		fmt.Fprintf(Err, "%-28s %d/%d in %s (%.1f/s)\n", b.title, b.done, b.total, took.Round(100*time.Millisecond), float64(fresh)/took.Seconds())
	}
}

var _ pipeline.Stage = (*Bar)(nil)

// Megabytes shows how much of files is fetched, a bar each. end finishes the last one, or
// leaves it where it is on an error, which it returns.
func Megabytes() (update func(file string, done, total int64), end func(error) error) {
	var bar *Bar
	var last string
	update = func(file string, done, total int64) {
		if file != last {
			if bar != nil {
				bar.Finish()
			}
			bar, last = NewBar(file+" (MB)", false), file
		}
		bar.Update(int(done>>20), int(max(total, done)>>20))
	}
	return update, func(err error) error {
		switch {
		case bar == nil:
		case err != nil:
			bar.Abort()
		default:
			bar.Finish()
		}
		return err
	}
}
