// Package naming gives images, and parts of images, classes by models that know
// words: namers tell which class a mask shows, taggers which classes a whole
// image shows. Each kind registers itself in a file of its own; any method of
// gen may use them.
package naming

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/data"
	"wsss/data/openimages"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/load"
	"wsss/models/foundation/ram"
)

// Place says where weights lie and how their sessions run.
type Place struct {
	Dir       string // folder of model files; "" = the usual one
	MaxShapes int    // compiled graphs kept per file; 0 = the default
}

// openCLIP opens CLIP under a name of `wsss models list`.
func (p Place) openCLIP(b compute.Backend, name string) (*clip.Model, load.Closer, error) {
	return load.Model[*clip.Model](b, "clip", load.Choice{Model: name, Dir: p.Dir}, load.Options{MaxShapes: p.MaxShapes})
}

// Words are the words of each class where they differ from its name.
type Words map[string][]string

// Of are the words of a class.
func (w Words) Of(class string) []string {
	if own := w[class]; len(own) > 0 {
		return own
	}
	return []string{openimages.Word(class)}
}

// Negatives are words for look-alikes, by class: gen.options.negative.<class>.
// What they name is not the class.
type Negatives map[string][]string

// Check refuses classes that the dataset has not, and empty words.
func (n Negatives) Check(classes data.Classes) error {
	for _, name := range sortedKeys(n) {
		if classes.Index(name) <= 0 {
			return NoClass("negative", name, classes)
		}
		for i, w := range n[name] {
			if strings.TrimSpace(w) == "" {
				return fmt.Errorf("gen.options.negative.%s[%d] is empty: allowed are words", name, i)
			}
		}
	}
	return nil
}

// byClass are the words by the class's number.
func (n Negatives) byClass(classes data.Classes) map[int][]string {
	m := map[int][]string{}
	for name, words := range n {
		m[classes.Index(name)] = words
	}
	return m
}

// NoClass is the error of an option that names a class which the dataset has not.
func NoClass(key, name string, classes data.Classes) error {
	return fmt.Errorf("gen.options.%s.%s: the dataset has no such class: allowed are %s", key, name, strings.Join(classes.Names[min(1, classes.Len()):], ", "))
}

// sortedKeys makes the order of errors that of the names.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// withoutNegatives leaves out the classes whose negative words RAM gives as tags
// that score at least as high as the class's own. A negative word is no tag of
// its class, whatever the mapping says.
func withoutNegatives(m ram.Mapping, tags []ram.Tag, negative map[int][]string) []int {
	var list []int
	for _, f := range m.Classes(tags) {
		var own []ram.Tag
		var worst float32
		for _, tag := range tags {
			if containsFold(negative[f.Class], tag.Name) {
				worst = max(worst, tag.Score)
			} else {
				own = append(own, tag)
			}
		}
		for _, g := range m.Classes(own) {
			if g.Class == f.Class && (worst == 0 || g.Score > worst) {
				list = append(list, f.Class)
			}
		}
	}
	return list
}

func containsFold(words []string, s string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(strings.TrimSpace(w), s) })
}
