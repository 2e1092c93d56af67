package main

import (
	"fmt"
	"strings"

	"wsss/gen"
)

// saveHashes keeps what the run knows of the files of its data for the next
// call; losing it costs time only.
func (p *pipeline) saveHashes() {
	if err := p.hashes.Save(); err != nil {
		p.say("note: %v; the data's files will be read again next time", err)
	}
}

// explainChanges says which labels were made again, and why.
func (p *pipeline) explainChanges(s gen.Summary) {
	if text := changesText(s); text != "" {
		p.say("  %s", text)
	}
	if n := s.Changes.Old; n > 0 {
		p.say("  note: %s from an earlier version, which did not note what a label was made from: taken for up to date; changes from now on are noticed", count(n, "label is", "labels are"))
	}
}

// changesText is "3 of 40 made again: 2 labels edited, 1 photo replaced; 1
// image is gone"; "" where nothing changed.
func changesText(s gen.Summary) string {
	var parts []string
	c := s.Changes
	if n := c.Stale(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d made again: %s", n, s.Images, c.Why()))
	}
	if c.New > 0 && (s.Grown || c.Gone > 0) && c.New < s.Images {
		parts = append(parts, count(c.New, "new image", "new images"))
	}
	if c.Gone > 0 {
		parts = append(parts, count(c.Gone, "image is gone", "images are gone"))
	}
	return strings.Join(parts, "; ")
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
