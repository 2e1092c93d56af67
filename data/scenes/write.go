package scenes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/weak"
	"wsss/data/weaken"
)

// version changes whenever the same Config gives other bytes.
const version = 1

const manifestName = "scenes.json"

// manifest marks a folder as generated, and by what.
type manifest struct {
	Version int    `json:"version"`
	Config  Config `json:"config"`
	SHA256  string `json:"sha256"` // over the digests of all files, in id order
}

func readManifest(dir string) (m manifest, err error) {
	raw, err := files.ReadLimited(filepath.Join(dir, manifestName), files.MaxRecord)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, manifestName), err)
	}
	return m, nil
}

// Write makes the folder dir hold the set that cfg describes, in the layout of
// VOC 2012 (see the package comment). A folder that already holds it is left
// alone, one with another generated set is replaced, and one with anything
// else is refused. The set appears whole or not at all. progress may be nil;
// it is called from one goroutine at a time.
func Write(ctx context.Context, dir string, cfg Config, progress func(done, total int)) error {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("scenes: %w", err)
	}
	if done, err := upToDate(dir, cfg); done || err != nil {
		files.SweepTempDirs(dir)
		return err
	}
	tmp, done, err := files.TempDir(dir)
	if err != nil {
		return err
	}
	defer done()
	if err := generate(ctx, tmp, cfg, progress); err != nil {
		return err
	}
	return install(tmp, dir, cfg)
}

// upToDate reports whether dir holds this set; an error where it holds
// something that must not be replaced.
func upToDate(dir string, cfg Config) (bool, error) {
	m, err := readManifest(dir)
	if err == nil {
		return m.Version == version && m.Config == cfg, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if len(entries) > 0 {
		return false, fmt.Errorf("%s holds files that are no generated scenes (no %s): name an empty or new folder", dir, manifestName)
	}
	return false, nil
}

// install puts the finished folder tmp in the place of dir.
func install(tmp, dir string, cfg Config) error {
	old := tmp + ".old"
	err := os.Rename(dir, old)
	switch {
	case err == nil:
		defer os.RemoveAll(old)
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	err = os.Rename(tmp, dir)
	if err != nil {
		// Another process may have put the same set there in the meantime.
		if done, _ := upToDate(dir, cfg); done {
			return nil
		}
	}
	return err
}

func imageID(split string, i int) string { return fmt.Sprintf("%s_%06d", split, i+1) }

func ids(cfg Config) (train, val []string) {
	for i := range cfg.Train {
		train = append(train, imageID("train", i))
	}
	for i := range cfg.Val {
		val = append(val, imageID("val", i))
	}
	return train, val
}

// record is what a picture adds to the files of the whole set.
type record struct {
	digest [sha256.Size]byte
	points []weak.Click
	tags   []string
}

func generate(ctx context.Context, dir string, cfg Config, progress func(done, total int)) error {
	for _, sub := range []string{"JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations", "scribbles", "ImageSets/Segmentation"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	train, val := ids(cfg)
	all := append(append([]string(nil), train...), val...)
	records := make([]record, len(all))
	if err := data.Parallel(ctx, len(all), progress, func(i int) (err error) {
		records[i], err = writeScene(dir, all[i], cfg)
		return err
	}); err != nil {
		return err
	}
	sum := sha256.New()
	clicks := map[string][]weak.Click{}
	var table bytes.Buffer
	rows := csv.NewWriter(&table)
	rows.Write([]string{"image", "tags"})
	for i, id := range all {
		sum.Write(records[i].digest[:])
		clicks[id] = records[i].points
		rows.Write([]string{id, strings.Join(records[i].tags, ";")})
	}
	rows.Flush()
	points, err := json.Marshal(clicks)
	if err != nil {
		return err
	}
	lines := func(s []string) []byte { return []byte(strings.Join(s, "\n") + "\n") }
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"ImageSets/Segmentation/train.txt", lines(train)},
		{"ImageSets/Segmentation/train_aug.txt", lines(train)},
		{"ImageSets/Segmentation/val.txt", lines(val)},
		{"ImageSets/Segmentation/trainval.txt", lines(all)},
		{"points.json", append(points, '\n')},
		{"image_labels.csv", table.Bytes()},
		{"classes.txt", lines(cfg.names())},
	} {
		sum.Write(f.data)
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o644); err != nil {
			return err
		}
	}
	return files.WriteJSON(filepath.Join(dir, manifestName), manifest{version, cfg, hex.EncodeToString(sum.Sum(nil))})
}

// writeScene renders one picture and writes its own files.
func writeScene(dir, id string, cfg Config) (record, error) {
	var rec record
	seed := seedFor(cfg.Seed, id)
	s := compose(seed, cfg, cfg.Classes+1)
	opts := weaken.DefaultOptions()
	opts.MinArea = 1
	labels, err := weaken.FromInstances(s.truth, s.instances, data.WeakKinds, int64(seed), opts)
	if err != nil {
		return rec, err
	}
	rec.points = weak.NewClicks(labels.Points)
	for _, c := range labels.Tags {
		rec.tags = append(rec.tags, className(c))
	}
	hash := sha256.New()
	for _, f := range []struct {
		name   string
		encode func(*bytes.Buffer) error
	}{
		{"JPEGImages/" + id + ".jpg", func(b *bytes.Buffer) error { return jpeg.Encode(b, s.image, &jpeg.Options{Quality: 92}) }},
		{"SegmentationClass/" + id + ".png", func(b *bytes.Buffer) error { return data.EncodeLabelMap(b, s.truth) }},
		{"SegmentationObject/" + id + ".png", func(b *bytes.Buffer) error { return data.EncodeLabelMap(b, s.instances) }},
		{"Annotations/" + id + ".xml", func(b *bytes.Buffer) error { return weak.EncodeXML(b, annotation(id, s, labels.Boxes)) }},
		{"scribbles/" + id + ".xml", func(b *bytes.Buffer) error {
			return weak.EncodeXML(b, weak.NewScribbleFile(s.truth.W, s.truth.H, labels.Scribbles, allClasses()))
		}},
	} {
		var buf bytes.Buffer
		if err := f.encode(&buf); err != nil {
			return rec, fmt.Errorf("%s: %w", f.name, err)
		}
		hash.Write(buf.Bytes())
		if err := os.WriteFile(filepath.Join(dir, f.name), buf.Bytes(), 0o644); err != nil {
			return rec, err
		}
	}
	copy(rec.digest[:], hash.Sum(nil))
	return rec, nil
}

func className(label int) string { return allClasses().Name(label) }
