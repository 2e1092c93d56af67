package train

import (
	"wsss/checkpoints/files"
	"wsss/data"
)

// looked is how many label maps are looked at for what is wrong with all.
const looked = 16

// warnBinary tells of labels that other tools wrote as 0 and 255: the network
// would learn nothing but background. Errors are left to the loading.
func (l *loader) warnBinary(log func(line string)) {
	n, total := 0, 0
	for _, id := range l.ids[:min(looked, len(l.ids))] {
		m, err := l.labelOf(id)
		if err != nil {
			continue
		}
		if total++; m.Binary() {
			n++
		}
	}
	if n > 0 && n == total {
		where := l.labelsDir
		if where == "" {
			where = "true masks"
		}
		log("warning: " + data.BinaryNote(n, total, where))
	}
}

func (l *loader) labelOf(id string) (*data.LabelMap, error) {
	if l.labelsDir == "" {
		s, err := l.ds.Load(id, data.WantTruth)
		if err != nil {
			return nil, err
		}
		return s.Truth, nil
	}
	path, err := files.Join(l.labelsDir, id+".png")
	if err != nil {
		return nil, err
	}
	return data.ReadLabelMap(path)
}
