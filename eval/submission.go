package eval

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
)

// vocTestImages is the size of VOC 2012's segmentation test split, whose masks
// only the evaluation server has (docs/sources.md §10).
const (
	vocTestImages = 1456
	vocTestHash   = "7d323bb3448fa174b9194953e01dfd168c9890adb30dd2491a66536edbeca0aa" // SHA-256 of the sorted ids, a newline between two
)

// Submission configures WriteSubmission. The zero value is what weakly
// supervised methods with a pre-trained backbone submit.
type Submission struct {
	Competition string // "comp6" (any external data, the default) or "comp5" (VOC's own training data only)
	Void        bool   // write 255 as background instead of refusing it
	Workers     int    // goroutines; 0 = one per CPU
}

// SubmissionInfo describes a written archive.
type SubmissionInfo struct {
	Path   string `json:"path"`
	Folder string `json:"folder"` // of the masks inside the archive
	Images int    `json:"images"`
	Voids  int    `json:"voids"` // images in which void was replaced
	SHA256 string `json:"sha256"`
}

// WriteSubmission packs labelsDir/<id>.png of a split into the archive that the
// PASCAL VOC evaluation server takes, out = something.tar or .tar.gz or .tgz:
// results/VOC2012/Segmentation/comp6_test_cls/<id>.png (docs/sources.md §10).
//
// Everything is checked before the archive appears: all ids of the split are
// there (1,456 for VOC's test split), each map has its photo's size and only
// values of classes. Errors name the file. The masks are written as indexed
// PNG with the VOC palette, whatever they were; the same labels give the same
// bytes.
func WriteSubmission(ctx context.Context, ds data.Dataset, split, labelsDir, out string, s Submission, progress Progress) (*SubmissionInfo, error) {
	if s.Competition == "" {
		s.Competition = "comp6"
	}
	if s.Competition != "comp5" && s.Competition != "comp6" {
		return nil, fmt.Errorf("competition %q: allowed are comp5 and comp6", s.Competition)
	}
	zip := strings.HasSuffix(out, ".tgz") || strings.HasSuffix(out, ".tar.gz")
	if !zip && !strings.HasSuffix(out, ".tar") {
		return nil, fmt.Errorf("%s: the evaluation server takes .tar, .tar.gz and .tgz", out)
	}
	ids, err := Options{}.ids(ds, split)
	if err != nil {
		return nil, err
	}
	if ds.Name() == "voc" && split == "test" {
		if err := checkTestIDs(ids); err != nil {
			return nil, err
		}
	}
	paths, absent, err := labelPaths(labelsDir, ids)
	if err != nil {
		return nil, err
	}
	if len(absent) > 0 {
		return nil, fmt.Errorf("%s: %d of %d label maps of split %q are missing: %s", labelsDir, len(absent), len(ids), split, firstNames(absent))
	}
	voids := make([]bool, len(ids))
	workers := Options{Workers: s.Workers}.withDefaults().Workers
	err = data.ParallelWorkers(ctx, len(ids), workers, progress, func(_, i int) error {
		var err error
		voids[i], err = s.check(ds, ids[i], paths[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	info := &SubmissionInfo{Path: out, Folder: "results/VOC2012/Segmentation/" + s.Competition + "_test_cls", Images: len(ids)}
	for _, v := range voids {
		if v {
			info.Voids++
		}
	}
	sum := sha256.New()
	err = files.WriteAtomic(out, func(w io.Writer) error {
		w = io.MultiWriter(w, sum)
		if !zip {
			return s.pack(ctx, w, info.Folder, ids, paths)
		}
		gz := gzip.NewWriter(w)
		return errors.Join(s.pack(ctx, gz, info.Folder, ids, paths), gz.Close())
	})
	info.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return info, err
}

// checkTestIDs compares a list of the test split with VOC's own.
func checkTestIDs(ids []string) error {
	if len(ids) != vocTestImages {
		return fmt.Errorf("split test of voc lists %d images: the server wants all %d", len(ids), vocTestImages)
	}
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(ids)), "\n")))
	if hex.EncodeToString(sum[:]) != vocTestHash {
		return fmt.Errorf("split test of voc lists %d images, but others than VOC 2012's ImageSets/Segmentation/test.txt does: the server wants those", len(ids))
	}
	return nil
}

// check reads one label map and compares it with its photo; it tells whether
// void is in it.
func (s Submission) check(ds data.Dataset, id, path string) (void bool, err error) {
	m, err := data.ReadLabelMap(path)
	if err != nil {
		return false, err
	}
	size, err := photoSize(ds, id)
	if err != nil {
		return false, err
	}
	if m.Size() != size {
		return false, fmt.Errorf("%s is %d×%d but the photo is %d×%d: the server takes masks of the photo's own size", path, m.W, m.H, size.X, size.Y)
	}
	if err := m.CheckRange(ds.Classes().Len()); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	void = m.Present()[data.Ignore]
	if void && !s.Void {
		return true, fmt.Errorf("%s holds void (255), which the server does not take: decide what it is, or have it written as background (-void-as-background)", path)
	}
	return void, nil
}

// photoSize reads the header of the photo, or decodes the sample where it is
// no file.
func photoSize(ds data.Dataset, id string) (image.Point, error) {
	size, err := data.ImageSize(ds.ImagePath(id))
	if errors.Is(err, fs.ErrNotExist) {
		s, err := ds.Load(id, data.WantImage)
		if err != nil {
			return image.Point{}, err
		}
		return s.Image.Rect.Size(), nil
	}
	return size, err
}

// pack writes the archive without times or owners.
func (s Submission) pack(ctx context.Context, w io.Writer, folder string, ids, paths []string) error {
	t := tar.NewWriter(w)
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := data.ReadLabelMap(paths[i])
		if err != nil {
			return err
		}
		for k, v := range m.Pix {
			if v == data.Ignore {
				m.Pix[k] = 0
			}
		}
		var png strings.Builder
		if err := data.EncodeLabelMap(&png, m); err != nil {
			return err
		}
		head := &tar.Header{Name: path.Join(folder, filepath.ToSlash(id)+".png"), Mode: 0o644, Size: int64(png.Len()), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(head); err != nil {
			return err
		}
		if _, err := io.WriteString(t, png.String()); err != nil {
			return err
		}
	}
	return t.Close()
}
