package metrics

// MultiLabel is how well scores agree with image labels. Images count for the
// classes that are known of them; averages leave out classes without positive
// images.
type MultiLabel struct {
	Images    int       `json:"images"`
	MAP       float64   `json:"map"`      // mean over classes of the area since VOC 2010; what "best" means
	MAP11     float64   `json:"map11"`    // VOC 2007, eleven points
	MAPPlain  float64   `json:"map_area"` // uninterpolated
	AP        []float64 `json:"ap"`       // per class, since VOC 2010; −1 without positives
	Threshold []float64 `json:"threshold"`
	Precision float64   `json:"precision"` // of all labels at the thresholds
	Recall    float64   `json:"recall"`
	ECE       float64   `json:"ece"`  // expected calibration error of the probabilities, ten bins
	Bins      []Bin     `json:"bins"` // of those, with the scores in them
}

// Bin is the scores within a tenth of 0..1.
type Bin struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"` // score
	Yes  float64 `json:"yes"`  // share that is right
}
