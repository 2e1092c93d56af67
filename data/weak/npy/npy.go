// Package npy reads, and in part writes, NumPy's .npy files: numeric arrays, and the pickled
// dictionaries and scalars that the field saves with np.save (cls_labels.npy,
// class activation maps). Pickles are read as data; of their classes NumPy's
// own are known, and nothing is called, ever.
package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data/pickle"
)

// MaxBytes bounds the size of a file that is read.
const MaxBytes = 2 << 30

// Dict is a Python dictionary, in file order. Keys are usually string or int64.
type Dict = pickle.Dict

// Opaque is an object of a class that this package does not know (a PyTorch
// tensor, say): its constructor's name and arguments, not called.
type Opaque = pickle.Opaque

// Read reads a numeric .npy file. The error names the file.
func Read(path string) (*Array, error) {
	v, err := ReadObject(path)
	if err != nil {
		return nil, err
	}
	a, ok := v.(*Array)
	if !ok {
		return nil, fmt.Errorf("%s: holds a pickled %s, not a numeric array", path, typeName(v))
	}
	return a, nil
}

// ReadObject reads any .npy file. The value is an *Array for a numeric array;
// for a pickled one, nil, bool, int64, float64, string, []byte, []any (list or
// tuple), *Dict, *Array or *Opaque. The error names the file.
func ReadObject(path string) (any, error) {
	raw, err := files.ReadLimited(path, MaxBytes)
	if err != nil {
		return nil, err
	}
	v, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

var (
	magic = []byte("\x93NUMPY")

	descrRE   = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	fortranRE = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	shapeRE   = regexp.MustCompile(`'shape':\s*\(([^)]*)\)`)
)

// Parse is ReadObject on bytes, which the returned value may share.
func Parse(raw []byte) (any, error) {
	header, body, err := splitHeader(raw)
	if err != nil {
		return nil, err
	}
	descr, order, shape := descrRE.FindSubmatch(header), fortranRE.FindSubmatch(header), shapeRE.FindSubmatch(header)
	if descr == nil || order == nil || shape == nil {
		return nil, fmt.Errorf("npy header %.80q: structured types are not supported", header)
	}
	dims, err := parseShape(string(shape[1]))
	if err != nil {
		return nil, err
	}
	if name := string(descr[1]); name != "|O" {
		typ, err := parseType(name)
		if err != nil {
			return nil, err
		}
		return newArray(typ, dims, string(order[1]) == "True", body)
	}
	return unpickle(body)
}

// splitHeader checks the magic and version and cuts the header text off.
func splitHeader(raw []byte) (header, body []byte, err error) {
	if !bytes.HasPrefix(raw, magic) || len(raw) < 12 {
		return nil, nil, errors.New("not a .npy file")
	}
	var size, start int
	switch raw[6] {
	case 1:
		size, start = int(binary.LittleEndian.Uint16(raw[8:])), 10
	case 2, 3:
		size, start = int(binary.LittleEndian.Uint32(raw[8:])), 12
	default:
		return nil, nil, fmt.Errorf("npy version %d: allowed are 1, 2 and 3", raw[6])
	}
	if size > len(raw)-start || size > 1<<20 {
		return nil, nil, errors.New("npy header is cut off")
	}
	return raw[start : start+size], raw[start+size:], nil
}

func parseShape(text string) ([]int, error) {
	dims := []int{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSuffix(strings.TrimSpace(part), "L") // Python 2 wrote longs
		if part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("npy shape (%s) is not a list of sizes", text)
		}
		dims = append(dims, n)
	}
	return dims, nil
}

func typeName(v any) string {
	switch v := v.(type) {
	case *Dict:
		return "dictionary"
	case *Opaque:
		return v.Name
	case *Array:
		return "array"
	case []any:
		return "list"
	}
	return fmt.Sprintf("%T", v)
}
