package gen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wsss/data"
)

// vocNames are the classes of PASCAL VOC by label value.
var vocNames = strings.Fields(`background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog
	horse motorbike person pottedplant sheep sofa train tvmonitor`)

// pairs is a folder of photos with VOC masks: JPEGImages/<id>.jpg and
// SegmentationClassAug/<id>.png. It has one split, "all".
type pairs struct {
	root string
	ids  []string
}

// Pairs opens such a folder.
func Pairs(root string) (data.Dataset, error) {
	entries, err := os.ReadDir(filepath.Join(root, "SegmentationClassAug"))
	if err != nil {
		return nil, err
	}
	d := &pairs{root: root}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".png"); ok {
			d.ids = append(d.ids, id)
		}
	}
	return d, nil
}

func (d *pairs) Name() string          { return filepath.Base(d.root) }
func (d *pairs) Classes() data.Classes { return data.Classes{Names: vocNames} }
func (d *pairs) Splits() []string      { return []string{"all"} }

func (d *pairs) IDs(split string) ([]string, error) {
	if split != "all" {
		return nil, fmt.Errorf("split %q: there is only %q", split, "all")
	}
	return d.ids, nil
}

func (d *pairs) ImagePath(id string) string { return filepath.Join(d.root, "JPEGImages", id+".jpg") }

func (d *pairs) Load(id string, want data.Want) (*data.Sample, error) {
	s := &data.Sample{ID: id}
	var err error
	if want&data.WantImage != 0 {
		if s.Image, err = data.ReadImage(d.ImagePath(id)); err != nil {
			return nil, err
		}
	}
	if want&data.WantTruth != 0 {
		s.Truth, err = data.ReadLabelMap(filepath.Join(d.root, "SegmentationClassAug", id+".png"))
	}
	return s, err
}
