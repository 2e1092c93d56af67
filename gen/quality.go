package gen

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
)

// ImageQuality is what is known of one image's label without ground truth.
type ImageQuality struct {
	ID    string
	Signs Signs
	Notes []string // of its masks
}

// Score is the sign that combines the others.
func (q ImageQuality) Score() float64 { return q.Signs[SignScore] }

// QualitySummary lists the labels of a folder, the worst first.
type QualitySummary struct {
	Images []ImageQuality
	Mean   Signs // over the images that have each sign
}

// Scores are the scores by image id, as eval/report takes them.
func (q *QualitySummary) Scores() map[string]float64 {
	scores := make(map[string]float64, len(q.Images))
	for _, im := range q.Images {
		scores[im.ID] = im.Score()
	}
	return scores
}

// Doubts say in words why labels are doubted, by image id, as eval/report takes
// them.
func (q *QualitySummary) Doubts() map[string]string {
	doubts := map[string]string{}
	for _, im := range q.Images {
		if text := im.Signs.Doubt(); text != "" {
			doubts[im.ID] = text
		}
	}
	return doubts
}

// QualityOptions of Quality. The zero value is fit for use.
type QualityOptions struct {
	IDs      []string              // only these images; nil = all that the folder holds
	Against  []string              // label folders to compare with, for SignAgreement; images that one lacks are not compared there
	Workers  int                   // 0 = one per CPU
	Progress func(done, total int) // one call at a time; may be nil
}

// Quality judges the labels that Run wrote into a folder without ground truth:
// by the signs in their sidecars and by agreement with other folders.
func Quality(ctx context.Context, dir string, o QualityOptions) (*QualitySummary, error) {
	ids := o.IDs
	if ids == nil {
		var err error
		if ids, err = labelled(dir); err != nil {
			return nil, err
		}
	}
	images := make([]ImageQuality, len(ids))
	err := data.ParallelWorkers(ctx, len(ids), data.Workers(o.Workers), o.Progress, func(_, i int) (err error) {
		images[i], err = imageQuality(dir, ids[i], o.Against)
		return err
	})
	if err != nil {
		return nil, err
	}
	summary := &QualitySummary{Images: images, Mean: meanSigns(images)}
	slices.SortStableFunc(summary.Images, func(a, b ImageQuality) int { return cmp.Compare(a.Score(), b.Score()) })
	return summary, nil
}

// labelled lists the images that have a sidecar, sorted.
func labelled(dir string) ([]string, error) {
	var ids []string
	err := files.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if id, ok := strings.CutSuffix(filepath.ToSlash(rel), ".json"); ok && rel != ManifestName {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

func imageQuality(dir, id string, against []string) (ImageQuality, error) {
	q := ImageQuality{ID: id}
	path, err := files.Join(dir, id+".json")
	if err != nil {
		return q, err
	}
	side, err := ReadSidecar(path)
	if err != nil {
		return q, err
	}
	q.Signs = side.Quality
	var label *data.LabelMap
	if len(against) > 0 || q.Signs == nil {
		if label, err = data.ReadLabelMap(strings.TrimSuffix(path, ".json") + ".png"); err != nil {
			return q, err
		}
		if label.W != side.Width || label.H != side.Height {
			return q, fmt.Errorf("%s: for a label of %d×%d pixels, the PNG beside it has %d×%d", path, side.Width, side.Height, label.W, label.H)
		}
	}
	masks := make([]Mask, len(side.Masks))
	for i, m := range side.Masks {
		masks[i] = m.Mask
		if m.Note != "" && !slices.Contains(q.Notes, m.Note) {
			q.Notes = append(q.Notes, m.Note)
		}
	}
	if q.Signs == nil { // written before signs were kept
		q.Signs = assess(label, masks, data.WeakLabels{})
	}
	if err := q.compare(label, against); err != nil {
		return q, err
	}
	return q, nil
}

// compare adds SignAgreement.
func (q *ImageQuality) compare(label *data.LabelMap, against []string) error {
	var sum float64
	n := 0
	for _, dir := range against {
		path, err := files.Join(dir, q.ID+".png")
		if err != nil {
			return err
		}
		other, err := data.ReadLabelMap(path)
		if ignoreMissing(err) != nil {
			return err
		}
		if err != nil {
			continue
		}
		if other.Size() != label.Size() {
			return fmt.Errorf("%s is %d×%d pixels, the label it is compared with %d×%d", path, other.W, other.H, label.W, label.H)
		}
		sum += LabelAgreement(label, other)
		n++
	}
	if n > 0 {
		q.Signs[SignAgreement] = sum / float64(n)
		q.Signs.rate()
	}
	return nil
}

func meanSigns(images []ImageQuality) Signs {
	sum, n := Signs{}, map[string]int{}
	for _, im := range images {
		for name, v := range im.Signs {
			sum[name] += v
			n[name]++
		}
	}
	for name := range sum {
		sum[name] /= float64(n[name])
	}
	return sum
}
