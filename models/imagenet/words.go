// Package imagenet gives classifiers of ImageNet's 1,000 classes a use without
// training: it says which of them a word means, by WordNet, and where they are
// in an image, by class activation maps of any network with global pooling and a
// linear layer.
package imagenet

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Classes is how many ImageNet (ILSVRC 2012) has.
const Classes = 1000

// wordnet has ImageNet's classes in their order, then all that they are kinds
// of, one synset a line: the numbers of the lines above it in WordNet 3.0, a
// tab, its words.
//
//go:embed wordnet.tsv
var wordnet string

// Licence is that of WordNet, which stands with every copy of it.
//
//go:embed LICENCE.wordnet
var Licence string

// synset is a line of wordnet.
type synset struct {
	above []int
	words []string
}

// synsets are read at their first use.
var synsets = sync.OnceValue(func() []synset {
	var list []synset
	for line := range strings.Lines(wordnet) {
		above, words, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		s := synset{words: strings.Split(words, ", ")}
		for _, field := range strings.Fields(above) {
			n, err := strconv.Atoi(field)
			if err != nil {
				panic("imagenet: " + err.Error()) // the tests would have seen it
			}
			s.above = append(s.above, n)
		}
		list = append(list, s)
	}
	return list
})

// Kinds lists the classes that are kinds of what a word means in WordNet, in
// every sense of it that a class has: 118 for "dog". Case, and "_" for a space,
// do not matter. It is nil for a word that no class is a kind of.
func Kinds(word string) []int {
	word = normal(word)
	means := map[int]bool{}
	for i, s := range synsets() {
		if slices.ContainsFunc(s.words, func(w string) bool { return normal(w) == word }) {
			means[i] = true
		}
	}
	if len(means) == 0 {
		return nil
	}
	var list []int
	for class := range Classes {
		if kindOf(class, means) {
			list = append(list, class)
		}
	}
	return list
}

func kindOf(i int, means map[int]bool) bool {
	return means[i] || slices.ContainsFunc(synsets()[i].above, func(j int) bool { return kindOf(j, means) })
}

func normal(word string) string {
	return strings.ToLower(strings.TrimSpace(strings.ReplaceAll(word, "_", " ")))
}

// Resolve lists the classes that any of the words mean, ascending. A word may
// also be a class's number. The error names a word that means none.
func Resolve(words []string) ([]int, error) {
	list := []int{}
	for _, word := range words {
		if n, err := strconv.Atoi(word); err == nil {
			if n < 0 || n >= Classes {
				return nil, fmt.Errorf("ImageNet class %d: allowed are 0 to %d", n, Classes-1)
			}
			list = append(list, n)
			continue
		}
		kinds := Kinds(word)
		if kinds == nil {
			return nil, fmt.Errorf("%q: no class of ImageNet is a kind of that in WordNet", word)
		}
		list = append(list, kinds...)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Meaning lists ImageNet's classes for the name of a dataset's class: by the
// table of the names of VOC and COCO, else by WordNet. An empty list is the
// answer for a name of these that ImageNet has nothing for; the error is for a
// word that is not known.
func Meaning(name string) ([]int, error) {
	if words, ok := table[normal(name)]; ok {
		return Resolve(words)
	}
	return Resolve([]string{name})
}
