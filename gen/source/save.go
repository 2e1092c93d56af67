package source

import (
	"io"

	"wsss/checkpoints/files"
	"wsss/data/weak/npy"
)

// Save writes class scores as IRN does (docs/sources.md §11.1), a dictionary that
// ReadScores takes: "keys" with the classes, class 0 being the first after the
// background, and "high_res" [class, h, w]; with them "cam" at a quarter of
// the size, rounded up, where small has those. All are NumPy arrays. The file
// is dir/<id>.npy, written atomically.
func Save(dir, id string, s, small *Scores) error {
	var entries []npy.Entry
	if small != nil {
		entries = append(entries, small.entry("cam"))
	}
	return s.save(dir, id, append(entries, s.entry("high_res")))
}

// SaveCLIPES writes class scores as CLIP-ES does (docs/sources.md §6.2): "keys" as Save
// and "attn_highres" [class, h, w] in half precision.
func SaveCLIPES(dir, id string, s *Scores) error {
	e := s.entry("attn_highres")
	e.Half = true
	return s.save(dir, id, []npy.Entry{e})
}

func (s *Scores) save(dir, id string, maps []npy.Entry) error {
	path, err := files.Join(dir, id+".npy")
	if err != nil {
		return err
	}
	keys := make([]int64, len(s.Classes))
	for i, c := range s.Classes {
		keys[i] = int64(c) - 1
	}
	entries := append([]npy.Entry{{Key: "keys", Shape: []int{len(keys)}, Ints: keys}}, maps...)
	return files.WriteAtomic(path, func(w io.Writer) error { return npy.WriteDict(w, entries) })
}

func (s *Scores) entry(key string) npy.Entry {
	e := npy.Entry{Key: key, Shape: []int{len(s.Maps), s.H, s.W}, Floats: make([]float32, 0, len(s.Maps)*s.W*s.H)}
	for _, m := range s.Maps {
		e.Floats = append(e.Floats, m...)
	}
	return e
}
