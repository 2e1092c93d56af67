package data

// Fault is something wrong with the files of a dataset that Load works around
// or has no reason to touch, so that validation can tell of it.
type Fault struct {
	Kind    string // a short fixed name: "box-clipped", "outline", …
	Message string // names the file and the item
	Warning bool   // may be meant; else an error
}

// Faulty is a dataset that knows of faults beyond what Load returns.
type Faulty interface {
	// Faults lists what is wrong with the annotation of one sample. What Load
	// returns as an error is not among it.
	Faults(id string) []Fault
	// FileFaults lists what is wrong with the files that a split is read from
	// as a whole.
	FileFaults(split string) []Fault
}
