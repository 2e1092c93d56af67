package ram

import (
	"slices"
	"strings"
)

// Match says how a tag is compared with a class's words.
type Match string

// The ways to match.
const (
	// Exact needs a tag that is one of the words: the default.
	Exact Match = "exact"
	// First gives the tag to the first class, in label order, one of whose
	// words occurs inside it: the survey's rule for VOC, with its false
	// matches ("education" is a cat, docs/sources.md §2.3).
	First Match = "first-substring"
	// Every gives the tag to all such classes: the survey's rule for COCO.
	Every Match = "every-substring"
)

// Mapping leads from tags to classes.
type Mapping struct {
	Match Match
	Words [][]string // by label; Words[0] is the background's, empty
}

// Found is a class seen in an image.
type Found struct {
	Class int
	Tag   string // the first tag that led to it
	Score float32
}

// Classes lists the classes that the tags lead to, each once, in label order,
// with its first tag and its best score.
func (m Mapping) Classes(tags []Tag) []Found {
	var list []Found
	for _, tag := range tags {
		for _, class := range m.of(tag.Name) {
			i := slices.IndexFunc(list, func(f Found) bool { return f.Class == class })
			if i < 0 {
				list = append(list, Found{class, tag.Name, tag.Score})
			} else {
				list[i].Score = max(list[i].Score, tag.Score)
			}
		}
	}
	slices.SortFunc(list, func(a, b Found) int { return a.Class - b.Class })
	return list
}

// of lists the classes of one tag.
func (m Mapping) of(tag string) []int {
	var classes []int
	for class, words := range m.Words {
		hit := slices.ContainsFunc(words, func(w string) bool {
			if m.Match == Exact {
				return strings.EqualFold(tag, w)
			}
			return strings.Contains(tag, w)
		})
		if hit {
			classes = append(classes, class)
			if m.Match == First {
				break
			}
		}
	}
	return classes
}

// Survey is the survey's mapping for VOC's or COCO's class names, background
// first; ok is false for others (docs/sources.md §2.3).
func Survey(names []string) (m Mapping, ok bool) {
	switch {
	case isVOC(names):
		return Mapping{First, wordsOf(names, surveyVOC, false)}, true
	case isCOCO(names):
		return Mapping{Every, wordsOf(names, surveyCOCO, false)}, true
	}
	return Mapping{}, false
}

// Aliases is the exact mapping: for VOC and COCO each class has the tags of
// RAM's list that mean it; other classes have their own names.
func Aliases(names []string) Mapping {
	switch {
	case isVOC(names):
		return Mapping{Exact, wordsOf(names, aliasesVOC, true)}
	case isCOCO(names):
		return Mapping{Exact, wordsOf(names, aliasesCOCO, true)}
	}
	return Mapping{Exact, wordsOf(names, nil, true)}
}

// wordsOf looks the classes up in a table; a class that is not in it has its
// own name, one that is has it too where name is set.
func wordsOf(names []string, table map[string][]string, name bool) [][]string {
	words := make([][]string, len(names))
	for i, n := range names {
		if i == 0 {
			continue
		}
		list, ok := table[n]
		if !ok || name {
			words[i] = append(words[i], n)
		}
		words[i] = append(words[i], list...)
	}
	return words
}

func isVOC(names []string) bool {
	return len(names) == 21 && names[1] == "aeroplane" && names[20] == "tvmonitor"
}

func isCOCO(names []string) bool {
	return len(names) == 81 && names[1] == "person" && names[80] == "toothbrush"
}
