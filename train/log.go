package train

import "wsss/train/runlog"

// LogFile is the metrics log in a run folder: one JSON object per line, a
// Record each. It holds no times, so that a resumed run writes the same bytes.
const LogFile = runlog.File

// Record is one line of the metrics log: an update, or a validation after it.
type Record struct {
	Step     int       `json:"step"`                // updates done
	Epoch    float64   `json:"epoch,omitempty"`     // images drawn / images of the split
	Loss     float64   `json:"loss,omitempty"`      // mean over the accumulated batches, summed over logit maps
	LR       []float64 `json:"lr,omitempty"`        // of backbone, head, head biases
	GradNorm float64   `json:"grad_norm,omitempty"` // before momentum and weight decay
	ValMIoU  *float64  `json:"val_miou,omitempty"`
	ValIoU   []float64 `json:"val_iou,omitempty"` // per class; -1 where it occurs in neither truth nor prediction
	Images   int       `json:"images,omitempty"`  // validated
	Event    string    `json:"event,omitempty"`   // why a run stopped

	Batch      int `json:"batch,omitempty"`      // of the first update, where train.compute.fit_batch chose it
	Accumulate int `json:"accumulate,omitempty"` // …

	Agreement []float64 `json:"agreement,omitempty"` // IoU per class of the network with its labels since the last such line; -1 where neither had it
	Learned   []string  `json:"learned,omitempty"`   // classes on which train.noise acts from the next update on
}

// ReadLog reads a metrics log (runlog.Read).
func ReadLog(path string) ([]Record, error) { return runlog.Read[Record](path) }
