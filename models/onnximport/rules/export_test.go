package rules

// SetPartElements lets tests split small attentions; it returns what undoes it.
func SetPartElements(n int) (undo func()) {
	old := partElements
	partElements = n
	return func() { partElements = old }
}
