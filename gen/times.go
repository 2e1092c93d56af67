package gen

import (
	"fmt"
	"strings"
	"time"

	"wsss/data/stages"
)

// Times is where the work went, summed over all workers. A stage that a
// method does not have is 0; Prompt is whatever else makes the masks.
type Times struct {
	Decode, Tag, Detect, Embed, Prompt, Fuse, Write time.Duration
}

// Stage is one of Times.
type Stage struct {
	Name string
	Time time.Duration
}

// names lists the stages in their order.
func (t *Times) names() []struct {
	name string
	at   *time.Duration
} {
	return []struct {
		name string
		at   *time.Duration
	}{
		{"decode", &t.Decode}, {"tag", &t.Tag}, {"detect", &t.Detect}, {"embed", &t.Embed}, {"prompt", &t.Prompt}, {"fuse", &t.Fuse}, {"write", &t.Write},
	}
}

// Stages lists the stages in their order.
func (t Times) Stages() []Stage {
	var list []Stage
	for _, s := range t.names() {
		list = append(list, Stage{s.name, *s.at})
	}
	return list
}

// Seconds are the stages by name, those that exist.
func (t Times) Seconds() map[string]float64 {
	m := map[string]float64{}
	for _, s := range t.Stages() {
		if s.Time > 0 {
			m[s.Name] = s.Time.Seconds()
		}
	}
	return m
}

// TimesOf is the inverse of Seconds.
func TimesOf(seconds map[string]float64) Times {
	var t Times
	for _, s := range t.names() {
		*s.at = time.Duration(seconds[s.name] * float64(time.Second))
	}
	return t
}

// Total is the time of all stages.
func (t Times) Total() time.Duration {
	var sum time.Duration
	for _, s := range t.Stages() {
		sum += s.Time
	}
	return sum
}

// String gives each stage's share, "decode 3 %, embed 80 %, …"; stages that do
// not exist are left out.
func (t Times) String() string {
	total := max(t.Total().Seconds(), 1e-9)
	var parts []string
	for _, s := range t.Stages() {
		if s.Time > 0 {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", s.Name, 100*s.Time.Seconds()/total))
		}
	}
	return strings.Join(parts, ", ")
}

// split divides the time that a method took among its stages.
func (t *Times) split(took time.Duration, known stages.Times) {
	t.Tag, t.Detect, t.Embed = known[stages.Tag], known[stages.Detect], known[stages.Embed]
	t.Prompt = max(0, took-t.Tag-t.Detect-t.Embed)
}
