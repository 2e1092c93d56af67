// Package validate reads a whole dataset and lists what is wrong with it:
// files that cannot be read, masks of another size than their image, pixel
// values that are no class, labels outside the image. One bad label value
// costs a training run hours later; here it costs one line that
// names the file and the pixel.
package validate

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"wsss/data"
	"wsss/data/words"
)

// Level says how bad a finding is.
type Level string

// The levels: an error breaks a stage or its numbers, a warning may be meant.
const (
	Error   Level = "error"
	Warning Level = "warning"
)

// Options tunes a run; the zero value checks everything.
type Options struct {
	Workers      int  // images in flight; 0 = one per CPU
	SkipImages   bool // do not decode images: sizes of masks and labels stay unchecked
	RequireMasks bool // an image without a mask is an error, else a warning where others have one
	MaxFindings  int  // findings kept in the report, the rest is counted; 0 = 10,000
	// Need is the form of labels that the configured method works from; "" is
	// none.
	Need data.WeakKind
	// Truth tells that the split's masks are learnt, not what a method makes of Need.
	Truth bool
	// CheckID refuses ids that the configured stages do not take; may be nil.
	CheckID func(id string) error
}

// Finding is one thing that is wrong.
type Finding struct {
	ID      string `json:"id"`
	Level   Level  `json:"level"`
	Kind    string `json:"kind"` // a short fixed name, to filter by: "image", "mask-size", …
	Message string `json:"message"`
}

// ClassCount is how often a class occurs.
type ClassCount struct {
	Class     int    `json:"class"` // label value
	Name      string `json:"name"`
	Pixels    int64  `json:"pixels"`    // in masks
	Images    int    `json:"images"`    // with a pixel of it
	Tags      int    `json:"tags"`      // images tagged with it
	Points    int    `json:"points"`    //
	Scribbles int    `json:"scribbles"` //
	Boxes     int    `json:"boxes"`     //
}

// Report is the outcome; it is the same for any number of workers.
type Report struct {
	Dataset   string         `json:"dataset"`
	Split     string         `json:"split"`
	Samples   int            `json:"samples"`
	Images    int            `json:"images"` // that could be read
	Masks     int            `json:"masks"`  // that could be read
	Tags      int            `json:"tags"`   // samples that have the form of label
	Points    int            `json:"points"`
	Scribbles int            `json:"scribbles"`
	Boxes     int            `json:"boxes"`
	Pixels    int64          `json:"pixels"` // in masks
	Void      int64          `json:"void"`   // of these
	Errors    int            `json:"errors"`
	Warnings  int            `json:"warnings"`
	ByKind    map[string]int `json:"by_kind"` // findings per kind
	Findings  []Finding      `json:"findings"`
	Classes   []ClassCount   `json:"classes"`
}

const defaultMaxFindings = 10_000

// Run checks one split and never stops at a finding. The error is about the
// run itself: an unknown split, or ctx that ended. progress may be nil; it is
// called from one goroutine at a time.
func Run(ctx context.Context, ds data.Dataset, split string, opts Options, progress func(done, total int)) (*Report, error) {
	ids, err := ds.IDs(split)
	if err != nil {
		return nil, err
	}
	if opts.MaxFindings <= 0 {
		opts.MaxFindings = defaultMaxFindings
	}
	r := &Report{Dataset: ds.Name(), Split: split, Samples: len(ids), ByKind: map[string]int{}, Findings: []Finding{}}
	classes := ds.Classes()
	for i := range classes.Len() {
		r.Classes = append(r.Classes, ClassCount{Class: i, Name: classes.Name(i)})
	}
	if len(ids) == 0 {
		r.add(opts, finding("", Error, "empty", "split %s holds no images", split))
	}
	c := checker{ds: ds, classes: classes, opts: opts}
	first := map[string]int{}
	var unmasked missing
	var unlabelled []string
	err = ordered(ctx, len(ids), opts.Workers, func(i int) *sample { return c.checkSafely(ids[i]) }, func(i int, s *sample) {
		if k, dup := first[ids[i]]; dup {
			r.add(opts, finding(ids[i], Error, "duplicate", "the split lists the image twice, as number %d and %d", k+1, i+1))
		} else {
			first[ids[i]] = i
		}
		if opts.CheckID != nil {
			if err := opts.CheckID(ids[i]); err != nil {
				r.add(opts, finding(ids[i], Error, "id", "%v", err))
			}
		}
		r.merge(opts, s)
		if s.noMask != "" {
			unmasked.add(ids[i], s.noMask)
		}
		if s.read && !s.weak.Has(opts.Need.Labels()) {
			unlabelled = append(unlabelled, ids[i])
		}
		if progress != nil {
			progress(i+1, len(ids))
		}
	})
	if err != nil {
		return nil, err
	}
	unmasked.report(r, opts)
	if d, ok := data.As[data.Faulty](ds); ok {
		for _, f := range d.FileFaults(split) {
			r.add(opts, finding("", levelOf(f), f.Kind, "%s", f.Message))
		}
	}
	r.needs(opts, unlabelled)
	r.alike(opts)
	r.unlearnt(opts)
	if d, ok := data.As[interface{ Unread() ([]string, error) }](ds); ok {
		lines, err := d.Unread()
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			r.add(opts, finding("", Warning, "file-type", "%s", line))
		}
	}
	return r, nil
}

func finding(id string, level Level, kind, format string, args ...any) Finding {
	return Finding{ID: id, Level: level, Kind: kind, Message: printable(fmt.Sprintf(format, args...))}
}

// printable shows control characters, which a name in a data set may have and a
// terminal would obey, as escapes.
func printable(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// needs tells of images that lack the labels that the configured method works
// from: of exemplars, where all do.
func (r *Report) needs(opts Options, lacking []string) {
	some := opts.Need == data.WeakExemplars
	if len(lacking) == 0 || some && len(lacking) < r.Samples {
		return
	}
	level := Warning
	if len(lacking) == r.Samples {
		level = Error
	}
	r.add(opts, finding("", level, "no-labels", "%d of %d images have no %s, which gen.weak names: %s", len(lacking), r.Samples, opts.Need, shorten(lacking, 8)))
}

// alike warns of classes that may be one, written in two ways, and of names that are
// made of others, as a list of tags is that nothing takes apart.
func (r *Report) alike(opts Options) {
	first, names := map[string]string{}, map[string]bool{}
	for _, c := range r.Classes {
		names[c.Name] = true
	}
	for _, c := range r.Classes {
		key := strings.ToLower(strings.Join(strings.FieldsFunc(c.Name, func(r rune) bool { return unicode.IsSpace(r) || r == '_' || r == '-' }), " "))
		if other, ok := first[key]; ok {
			r.add(opts, finding("", Warning, "class-names", "classes %q and %q: are they one, written in two ways? they count as two", other, c.Name))
			continue
		}
		first[key] = c.Name
		for part := range strings.SplitSeq(c.Name, ",") {
			if part = strings.TrimSpace(part); part != c.Name && names[part] {
				r.add(opts, finding("", Warning, "class-names", "class %q holds the name of class %q: tags of one image are separated by ; or |", c.Name, part))
				break
			}
		}
	}
}

// unlearnt warns of classes that no label of the split is of, where it has labels of
// the form that is learnt from.
func (r *Report) unlearnt(opts Options) {
	var count func(c ClassCount) int
	form := string(opts.Need)
	switch {
	case opts.Truth:
		count, form = func(c ClassCount) int { return c.Images }, "masks"
	case opts.Need == data.WeakTags:
		count = func(c ClassCount) int { return c.Tags }
	case opts.Need == data.WeakPoints:
		count = func(c ClassCount) int { return c.Points }
	case opts.Need == data.WeakScribbles:
		count = func(c ClassCount) int { return c.Scribbles }
	case opts.Need.Labels() == data.WeakBoxes:
		count = func(c ClassCount) int { return c.Boxes }
	default:
		return
	}
	var without []string
	for _, c := range r.Classes[min(1, len(r.Classes)):] {
		if count(c) == 0 {
			without = append(without, c.Name)
		}
	}
	if n := len(without); n > 0 && n < len(r.Classes)-1 {
		r.add(opts, finding("", Warning, "class-unlabelled", "split %s: no %s of %s: %s with nothing to learn from", r.Split, form, shorten(without, 8), words.Count(n, "class", "classes")))
	}
}

func (r *Report) add(opts Options, f Finding) {
	r.ByKind[f.Kind]++
	if f.Level == Error {
		r.Errors++
	} else {
		r.Warnings++
	}
	if len(r.Findings) < opts.MaxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// merge counts one sample.
func (r *Report) merge(opts Options, s *sample) {
	for _, f := range s.findings {
		r.add(opts, f)
	}
	r.Images += count(s.image)
	r.Masks += count(s.mask)
	r.Tags += count(s.weak.Tags != nil)
	r.Points += count(s.weak.Points != nil)
	r.Scribbles += count(s.weak.Scribbles != nil)
	r.Boxes += count(s.weak.Boxes != nil)
	for v, n := range s.pixels {
		r.Pixels += int64(n)
		if v == data.Ignore {
			r.Void += int64(n)
		} else if v < len(r.Classes) {
			r.Classes[v].Pixels += int64(n)
			r.Classes[v].Images += count(n > 0)
		}
	}
	tally := func(class int, counter func(c *ClassCount) *int) {
		if class >= 0 && class < len(r.Classes) {
			*counter(&r.Classes[class])++
		}
	}
	for _, t := range s.weak.Tags {
		tally(t, func(c *ClassCount) *int { return &c.Tags })
	}
	for _, p := range s.weak.Points {
		tally(p.Class, func(c *ClassCount) *int { return &c.Points })
	}
	for _, l := range s.weak.Scribbles {
		tally(l.Class, func(c *ClassCount) *int { return &c.Scribbles })
	}
	for _, b := range s.weak.Boxes {
		tally(b.Class, func(c *ClassCount) *int { return &c.Boxes })
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// missing collects the samples without a mask: whether that is worth a word
// is known only once all were seen.
type missing struct {
	ids, files []string
	more       int
}

func (m *missing) add(id, file string) {
	if len(m.ids) < defaultMaxFindings {
		m.ids, m.files = append(m.ids, id), append(m.files, file)
	} else {
		m.more++
	}
}

func (m *missing) report(r *Report, opts Options) {
	level := Warning
	switch {
	case opts.RequireMasks:
		level = Error
	case r.Masks == 0:
		return // a split without masks
	}
	for i, id := range m.ids {
		r.add(opts, finding(id, level, "mask-missing", "%s", m.files[i]))
	}
	for range m.more {
		r.add(opts, finding("", level, "mask-missing", "and more"))
	}
}

// ordered computes do(0..n-1) on several goroutines and hands the results to
// sink in order, from one goroutine at a time. At most a few results per
// worker wait for an earlier one.
func ordered[T any](ctx context.Context, n, workers int, do func(i int) T, sink func(i int, v T)) error {
	workers = min(data.Workers(workers), n)
	var mu sync.Mutex
	turn := sync.NewCond(&mu)
	waiting := map[int]T{}
	next, out := 0, 0
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				for next < n && next >= out+8*workers && ctx.Err() == nil {
					turn.Wait()
				}
				i := next
				next++
				mu.Unlock()
				if i >= n || ctx.Err() != nil {
					turn.Broadcast()
					return
				}
				v := do(i)
				mu.Lock()
				waiting[i] = v
				for {
					v, ready := waiting[out]
					if !ready {
						break
					}
					delete(waiting, out)
					sink(out, v)
					out++
				}
				mu.Unlock()
				turn.Broadcast()
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
