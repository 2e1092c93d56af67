package cluster

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"wsss/data"
)

// addLights makes more photos of the scenes in a folder, up to so many in all: the same
// objects in light of another colour and with other noise, and so the same boxes.
func addLights(ctx context.Context, dir string, most int) error {
	entries, err := os.ReadDir(filepath.Join(dir, "images"))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "boxes.csv")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, _ := strings.Cut(string(raw), "\n")
	rows := map[string][]string{} // what follows the id, by id
	for line := range strings.Lines(rest) {
		id, row, _ := strings.Cut(line, ",")
		rows[id] = append(rows[id], row)
	}
	more := most - len(entries)
	of := func(i int) (scene, id string) { // the i-th one more
		scene = strings.TrimSuffix(entries[i%len(entries)].Name(), ".jpg")
		return scene, fmt.Sprintf("%s_%d", scene, 1+i/len(entries))
	}
	err = data.Parallel(ctx, more, nil, func(i int) error {
		scene, id := of(i)
		photo, err := os.ReadFile(filepath.Join(dir, "images", scene+".jpg"))
		if err == nil {
			photo, err = relit(photo, id)
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "images", id+".jpg"), photo, 0o644)
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	out.WriteString(head + "\n" + rest)
	for i := range more {
		scene, id := of(i)
		for _, row := range rows[scene] {
			fmt.Fprintf(&out, "%s,%s", id, row)
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// relit is a photo in another light, which its id draws.
func relit(photo []byte, id string) ([]byte, error) {
	from, err := jpeg.Decode(bytes.NewReader(photo))
	if err != nil {
		return nil, err
	}
	h := fnv.New64a()
	h.Write([]byte(id))
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	var gain [3]float64
	for c := range gain {
		gain[c] = 0.75 + 0.4*rng.Float64()
	}
	b := from.Bounds()
	to := image.NewNRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			red, green, blue, _ := from.At(x, y).RGBA()
			noise := float64(rng.IntN(9) - 4)
			to.SetNRGBA(x, y, color.NRGBA{lit(red, gain[0], noise), lit(green, gain[1], noise), lit(blue, gain[2], noise), 255})
		}
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, to, &jpeg.Options{Quality: 92})
	return out.Bytes(), err
}

func lit(v uint32, gain, noise float64) uint8 {
	return uint8(min(max(float64(v>>8)*gain+noise, 0), 255))
}
