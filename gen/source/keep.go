package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/gen"
)

// keeping says of a kept file what it was made from, beside it as <id>.json and
// written after it.
type keeping struct {
	Method string `json:"method"`
	Key    string `json:"key"`    // of method, options, weights, photo and labels
	SHA256 string `json:"sha256"` // of the file
}

// kept returns the file in the folder of what is kept for a sample, made by
// write where it is not there, was made from other things, or is damaged. A
// chain that is stopped goes on with the steps that are done.
func (s *Source) kept(ctx context.Context, sample *data.Sample, ext string, write func(path string) error) (string, error) {
	path, err := files.Join(s.opts.Keep, sample.ID+ext)
	if err != nil {
		return "", err
	}
	note, err := files.Join(s.opts.Keep, sample.ID+".json")
	if err != nil {
		return "", err
	}
	key, err := s.key(sample)
	if err != nil {
		return "", err
	}
	var was keeping
	if raw, err := files.ReadFile(note); err == nil && json.Unmarshal(raw, &was) == nil && was.Key == key {
		if sum, err := files.SHA256(path); err == nil && sum == was.SHA256 {
			return path, nil
		}
	}
	if err := files.MkdirAll(s.opts.Keep); err != nil {
		return "", err
	}
	if err := files.Remove(note); err != nil && !os.IsNotExist(err) { // it would vouch for the new file
		return "", err
	}
	if err := write(path); err != nil {
		return "", err
	}
	sum, err := files.SHA256(path)
	if err != nil {
		return "", err
	}
	return path, files.WriteJSON(note, keeping{s.opts.Method, key, sum})
}

// key identifies all that the method makes of a sample depends on.
func (s *Source) key(sample *data.Sample) (string, error) {
	h := sha256.New()
	parts := []any{s.opts.Method, s.opts.Options, s.opts.Fuse, s.Weights(), s.env.Weak, s.env.Seed, s.env.Classes.Names, sample.Weak}
	inputs, err := gen.InputFiles(s.method, sample.ID)
	if err != nil {
		return "", err
	}
	for _, file := range inputs {
		sum, err := files.SHA256(file)
		if err != nil && !os.IsNotExist(err) {
			sum = "a folder" // whose files are the method's own to look after
		}
		parts = append(parts, file, sum)
	}
	if err := json.NewEncoder(h).Encode(parts); err != nil {
		return "", err
	}
	fmt.Fprint(h, sample.Image.Rect.Size())
	size := sample.Image.Rect.Size()
	for y := range size.Y {
		h.Write(sample.Image.Pix[y*sample.Image.Stride : y*sample.Image.Stride+4*size.X])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// keptScores are the method's scores of a sample by way of the folder.
func (s *Source) keptScores(ctx context.Context, scorer Scorer, sample *data.Sample) (*Scores, error) {
	var made *Scores
	path, err := s.kept(ctx, sample, ".npy", func(string) error {
		var err error
		if made, err = scorer.Scores(ctx, sample); err != nil {
			return err
		}
		return Save(s.opts.Keep, sample.ID, made, nil)
	})
	if err != nil || made != nil {
		return made, err
	}
	return ReadScores(path, "", 1, s.env.Classes.Len())
}

// keptLabel is the method's label of a sample by way of the folder.
func (s *Source) keptLabel(ctx context.Context, sample *data.Sample) (*data.LabelMap, error) {
	path, err := s.kept(ctx, sample, ".png", func(path string) error {
		label, err := s.makeLabel(ctx, sample)
		if err != nil {
			return err
		}
		var buf bytes.Buffer
		if err := data.EncodeLabelMap(&buf, label); err != nil {
			return err
		}
		return files.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write(buf.Bytes()); return err })
	})
	if err != nil {
		return nil, err
	}
	return data.ReadLabelMap(path)
}

// makeLabel fuses the method's masks.
func (s *Source) makeLabel(ctx context.Context, sample *data.Sample) (*data.LabelMap, error) {
	masks, err := s.method.Generate(ctx, sample)
	if err != nil {
		return nil, err
	}
	return s.fuser.Fuse(sample.Image.Rect.Size(), masks)
}
