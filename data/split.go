package data

import (
	"fmt"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
)

// SplitError is the name of a split that a dataset has not: whoever names it is wrong,
// whatever is in the files.
type SplitError struct {
	Split   string
	Root    string   // of the dataset
	Allowed []string // the splits that there are
	Note    string   // what they are, in brackets behind them; "" = none
}

func (e *SplitError) Error() string {
	text := fmt.Sprintf("%s: split %q is unknown: allowed are %s", files.Address(e.Root), e.Split, strings.Join(e.Allowed, ", "))
	if e.Note != "" {
		text += " (" + e.Note + ")"
	}
	return text + configs.DidYouMean(e.Split, e.Allowed)
}
