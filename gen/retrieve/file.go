package retrieve

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/models/nearest"
)

// Names of the tensors and keys of a bank's file.
const (
	fileFeatures = "features" // [regions, channels], half precision, by class and photo
	fileRows     = "regions"  // [regions, 4]: class, photo, pixels, flags
	metaBank     = "bank"     // what it is
	metaClasses  = "classes"  // JSON
	metaPhotos   = "photos"   // JSON
	metaNetwork  = "network"
)

// Flags of a region in a file.
const (
	flagConfirmed = 1 << iota
	flagExcluded
)

// version of the format.
const version = "1"

func writeBank(path string, b *bank) error {
	half := make([]float16.Float16, 0, len(b.rows)*b.index.Dim())
	rows := make([]int32, 0, 4*len(b.rows))
	for i, r := range b.rows {
		for _, v := range b.index.Half(i) {
			half = append(half, float16.FromBits(v))
		}
		flags := int32(0)
		if r.confirmed {
			flags |= flagConfirmed
		}
		if r.excluded {
			flags |= flagExcluded
		}
		rows = append(rows, int32(r.class), int32(r.photo), int32(r.area), flags)
	}
	classes, err := json.Marshal(b.names)
	if err != nil {
		return err
	}
	photos, err := json.Marshal(b.photos)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, map[string]*tensors.Tensor{
		fileFeatures: tensors.FromFlatDataAndDimensions(half, len(b.rows), b.index.Dim()),
		fileRows:     tensors.FromFlatDataAndDimensions(rows, len(b.rows), 4),
	}, map[string]string{metaBank: version, metaClasses: string(classes), metaPhotos: string(photos), metaNetwork: b.network})
}

// readBank reads a bank; it is an error where its features are of another
// network, or its classes others.
func readBank(path, network string, classes []string) (*bank, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := parseBank(r, network, classes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func parseBank(r *safetensors.Reader, network string, classes []string) (*bank, error) {
	meta := r.Metadata()
	if meta[metaBank] != version {
		return nil, fmt.Errorf("not a bank of regions that this version reads (%q, wanted is %q)", meta[metaBank], version)
	}
	b := &bank{network: meta[metaNetwork]}
	if b.network != network {
		return nil, fmt.Errorf("its features are of another network or size: they were made by\n  %s\nand the config names\n  %s", b.network, network)
	}
	if err := json.Unmarshal([]byte(meta[metaClasses]), &b.names); err != nil || !slices.Equal(b.names, classes) {
		return nil, fmt.Errorf("it knows the classes %v, the dataset has %v", b.names, classes)
	}
	if err := json.Unmarshal([]byte(meta[metaPhotos]), &b.photos); err != nil {
		return nil, fmt.Errorf("its photos: %w", err)
	}
	if err := b.readRows(r); err != nil {
		return nil, err
	}
	info, ok := r.Info(fileFeatures)
	if !ok || len(info.Shape) != 2 || info.DType != "F16" || info.Shape[0] != len(b.rows) {
		return nil, fmt.Errorf("%s has type %s and shape %v: wanted are %d rows of F16", fileFeatures, info.DType, info.Shape, len(b.rows))
	}
	raw, err := r.Values(fileFeatures)
	if err != nil {
		return nil, err
	}
	half, err := readHalf(raw, info.Shape[0]*info.Shape[1])
	if err != nil {
		return nil, err
	}
	if b.index, err = nearest.Of(half, info.Shape[1]); err != nil {
		return nil, err
	}
	b.finish()
	return b, nil
}

func (b *bank) readRows(r *safetensors.Reader) error {
	t, err := r.Tensor(fileRows)
	if err != nil {
		return err
	}
	defer t.FinalizeAll() //nolint:errcheck // memory only
	values, ok := t.Value().([][]int32)
	if !ok {
		return fmt.Errorf("%s has shape %v: wanted are four whole numbers a region", fileRows, t.Shape())
	}
	for i, v := range values {
		if len(v) != 4 || v[0] < 0 || int(v[0]) >= len(b.names) || v[1] < 0 || int(v[1]) >= len(b.photos) || i > 0 && int(v[0]) < b.rows[i-1].class {
			return fmt.Errorf("region %d: %v of %d classes and %d photos", i, v, len(b.names), len(b.photos))
		}
		b.rows = append(b.rows, row{int(v[0]), int(v[1]), int(v[2]), v[3]&flagConfirmed != 0, v[3]&flagExcluded != 0})
	}
	return nil
}

// readHalf reads n values without a second copy of them all.
func readHalf(r io.Reader, n int) ([]uint16, error) {
	out := make([]uint16, n)
	buf := make([]byte, 1<<16)
	for at := 0; at < n; {
		part := buf[:2*min(n-at, len(buf)/2)]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, err
		}
		for i := 0; i < len(part); i += 2 {
			out[at] = binary.LittleEndian.Uint16(part[i:])
			at++
		}
	}
	return out, nil
}
