package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"wsss/train/runlog"
)

// Series is one logged number over training steps.
type Series struct {
	Step  []float64
	Value []float64
}

// stepKeys are the names under which logs count their steps.
var stepKeys = []string{"step", "iteration", "iter", "update"}

const (
	maxCharts = 10
	maxPoints = 400 // per drawn line; more are averaged
)

// ReadLog reads a metrics log: one JSON object per line with a step (or
// iteration, iter, update) and any numbers, which become one series per key; of a list of
// learning rates the first counts. Other values are skipped. After a resume
// steps may repeat: the later line counts. Damaged lines are left out, and
// counted.
func ReadLog(path string) (map[string]Series, runlog.Damage, error) {
	out := map[string]Series{}
	damage, err := runlog.Each(path, func(line []byte) bool {
		var fields map[string]any
		if json.Unmarshal(line, &fields) != nil {
			return false
		}
		addLine(out, fields)
		return true
	})
	return out, damage, err
}

func addLine(out map[string]Series, fields map[string]any) {
	var step float64
	var key string
	for _, k := range stepKeys {
		if v, ok := fields[k].(float64); ok {
			step, key = v, k
			break
		}
	}
	if key == "" {
		return
	}
	for k, v := range fields {
		if groups, ok := v.([]any); ok && k == "lr" && len(groups) > 0 {
			v = groups[0] // of the backbone; the other groups are multiples
		}
		x, ok := v.(float64)
		if !ok || k == key {
			continue
		}
		s := out[k]
		for n := len(s.Step); n > 0 && s.Step[n-1] >= step; n-- {
			s.Step, s.Value = s.Step[:n-1], s.Value[:n-1]
		}
		s.Step, s.Value = append(s.Step, step), append(s.Value, x)
		out[k] = s
	}
}

// chart is one drawing: the same number of all runs.
type chart struct {
	Name           string
	XTicks, YTicks []tick
	Lines          []line
	Dots           []dot
}

type dot struct{ X, Y float64 }

type tick struct {
	At    float64 // pixel
	Label string
}

type line struct {
	Name   string
	Number int // colour, from 1
	Points string
	Raw    string // of the line behind a smoothed one; "" = not smoothed
	Last   string
	Single bool
}

// Names of the numbers in a log of time and memory (Curve.Speed).
const (
	timeKey    = "images_per_s"
	memoryKey  = "peak_memory_mib"
	graphsKey  = "compilations"
	compileKey = "compile_s"
)

// chartTitles say what the names in logs mean.
var chartTitles = map[string]string{
	"loss": "loss", "val_miou": "mIoU on validation images", "miou": "mIoU", "lr": "learning rate", "grad_norm": "length of the gradient",
	timeKey: "images per second", memoryKey: "peak memory, MiB", graphsKey: "graphs compiled", compileKey: "seconds of compiling",
}

// The drawing's frame in SVG units.
const (
	chartW, chartH           = 520, 240
	padL, padR, padT, padB   = 52, 12, 10, 26
	plotW, plotH             = chartW - padL - padR, chartH - padT - padB
	chartBottom              = chartH - padB
	millionsFrom, smallBelow = 1e6, 1e-3
)

// Numbers of a log that come first, in this order, and those that are not drawn.
var (
	knownFirst = []string{"loss", "val_miou", "miou", "lr", timeKey, memoryKey, graphsKey, compileKey}
	notDrawn   = []string{"time", "seconds", "epoch", "images"}
)

// charts draws every number that the logs share, loss first. A log that does
// not exist (yet) is left out. It says to warn what is damaged.
func charts(curves []Curve, warn func(string)) ([]chart, error) {
	logs := make([]map[string]Series, len(curves))
	var keys []string
	for i, c := range curves {
		var damage runlog.Damage
		var err error
		logs[i], damage, err = ReadLog(c.Log)
		if damage.Lines > 0 && warn != nil {
			warn(damage.String())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if c.Speed != "" { // of time and memory
			more, _, err := ReadLog(c.Speed)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for k, s := range more {
				if logs[i] == nil {
					logs[i] = map[string]Series{}
				}
				logs[i][k] = s
			}
		}
		for k, s := range logs[i] {
			if !slices.Contains(keys, k) && !slices.Contains(notDrawn, k) && len(s.Step) > 0 {
				keys = append(keys, k)
			}
		}
	}
	rank := func(k string) int {
		if i := slices.Index(knownFirst, k); i >= 0 {
			return i
		}
		return math.MaxInt
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	var out []chart
	for _, k := range keys[:min(len(keys), maxCharts)] {
		out = append(out, drawChart(k, curves, logs))
	}
	return out, nil
}

func drawChart(key string, curves []Curve, logs []map[string]Series) chart {
	c := chart{Name: cmp.Or(chartTitles[key], key)}
	thin := make([]Series, len(logs))
	var xs, ys []float64
	for i, l := range logs {
		thin[i] = thinned(l[key], maxPoints)
		xs, ys = append(xs, thin[i].Step...), append(ys, thin[i].Value...)
	}
	f := newFrame(xs, append(ys, 0))
	f.ticks(&c)
	for i, s := range thin {
		if len(s.Step) == 0 {
			continue
		}
		last := logs[i][key].Value
		l := line{Name: curves[i].Name, Number: i%6 + 1, Points: f.points(s), Last: short(last[len(last)-1]), Single: len(s.Step) == 1}
		if smooth := smoothed(s); len(smooth.Step) > 0 && !slices.Contains(plain, key) {
			l.Raw, l.Points = l.Points, f.points(smooth)
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}

// plain are numbers that are smooth by themselves.
var plain = []string{"lr", "val_miou", "miou", memoryKey, timeKey}

// points lists a series for a polyline.
func (f frame) points(s Series) string {
	var b strings.Builder
	for j, x := range s.Step {
		fmt.Fprintf(&b, "%.1f,%.1f ", f.px(x), f.py(s.Value[j]))
	}
	return strings.TrimSpace(b.String())
}

// frame maps values to SVG units.
type frame struct {
	x0, x1, y0, y1 float64
	xs, ys         []float64 // ticks
}

// newFrame covers all values with round ticks.
func newFrame(x, y []float64) frame {
	var f frame
	f.x0, f.x1, f.xs = axis(x, 6)
	f.y0, f.y1, f.ys = axis(y, 5)
	return f
}

func axis(v []float64, n int) (lo, hi float64, ticks []float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	ticks = niceTicks(lo, hi, n)
	return min(lo, ticks[0]), max(hi, ticks[len(ticks)-1]), ticks
}

func (f frame) px(x float64) float64 { return padL + plotW*unit(x, f.x0, f.x1) }
func (f frame) py(y float64) float64 { return chartBottom - plotH*unit(y, f.y0, f.y1) }

func (f frame) ticks(c *chart) {
	for _, x := range f.xs {
		c.XTicks = append(c.XTicks, tick{f.px(x), short(x)})
	}
	for _, y := range f.ys {
		c.YTicks = append(c.YTicks, tick{f.py(y), short(y)})
	}
}

func unit(v, lo, hi float64) float64 {
	if hi <= lo {
		return 0.5
	}
	return (v/4 - lo/4) / (hi/4 - lo/4) // ranges near the largest number do not overflow
}

// thinned averages neighbours down to at most n points; means that overflow
// are left out.
func thinned(s Series, n int) Series {
	var out Series
	group := (len(s.Step) + n - 1) / n
	for i := 0; i < len(s.Step); i += group {
		var x, y, k float64
		for j := i; j < min(i+group, len(s.Step)); j++ {
			x, y, k = x+s.Step[j], y+s.Value[j], k+1
		}
		if x, y = x/k, y/k; !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			out.Step, out.Value = append(out.Step, x), append(out.Value, y)
		}
	}
	return out
}

// niceTicks returns round numbers that cover lo..hi, some n of them.
func niceTicks(lo, hi float64, n int) []float64 {
	if math.IsInf(lo, 1) { // nothing to show
		lo, hi = 0, 1
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(n))))
	for _, k := range []float64{2, 2.5, 2} { // 1, 2, 5, 10 times a power of ten
		if (hi-lo)/step <= float64(n) {
			break
		}
		step *= k
	}
	var out []float64
	start := math.Floor(lo/step) * step
	for i := range 3 * n {
		out = append(out, start+float64(i)*step)
		if out[i] >= hi-step*1e-9 {
			return out
		}
	}
	// One value, or a range beyond floating point's resolution.
	return []float64{lo, max(hi, lo+max(math.Abs(lo), 1))}
}

func short(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= millionsFrom || a < smallBelow:
		return fmt.Sprintf("%.2g", v)
	}
	return fmt.Sprintf("%.4g", v)
}
