package onnxfile

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The scanner walks the protobuf wire format of a model and copies all of it
// but the bulk data of tensors, which stay in the file: a 2.5 GB model becomes
// a skeleton of a few hundred KB whose tensors name their bytes by offset.

// Bounds on what a model file may make us allocate.
const (
	maxSkeleton = 64 << 20 // bytes kept in memory besides weights
	maxFields   = 2 << 20  // messages and strings
	maxScalars  = 8 << 20  // numbers; each takes more memory than bytes in the file
	maxDepth    = 32       // nesting of messages (sub-graphs of If and Loop)
	keepInline  = 1 << 10  // tensors up to this many bytes stay in the skeleton
)

// selfLocation marks tensor bytes that lie in the model file itself.
const selfLocation = "\x00self"

// kind is the type of a message on the path to tensors.
type kind int

const (
	kindOther kind = iota
	kindModel
	kindGraph
	kindNode
	kindAttribute
	kindTensor
	kindFunction
	kindSparse
	kindValueInfo
	kindType
	kindTensorType
	kindShape
	kindDim
	kindBulk // bytes that may stay in the file
	kindSkip // documentation, and what the importer has no use for
)

// children gives, per message type, the fields that lead to tensors.
var children = map[kind]map[protowire.Number]kind{
	kindModel:      {6: kindSkip, 7: kindGraph, 20: kindSkip, 25: kindFunction},
	kindGraph:      {1: kindNode, 5: kindTensor, 10: kindSkip, 11: kindValueInfo, 12: kindValueInfo, 13: kindSkip, 14: kindSkip, 15: kindSparse, 16: kindSkip},
	kindNode:       {5: kindAttribute, 6: kindSkip, 9: kindSkip},
	kindAttribute:  {5: kindTensor, 6: kindGraph, 10: kindTensor, 11: kindGraph, 13: kindSkip, 14: kindSkip, 15: kindSkip, 22: kindSparse, 23: kindSparse},
	kindTensor:     {4: kindBulk, 9: kindBulk, 10: kindBulk, 12: kindSkip},
	kindFunction:   {7: kindNode, 8: kindSkip, 12: kindSkip},
	kindSparse:     {1: kindTensor, 2: kindTensor},
	kindValueInfo:  {2: kindType, 3: kindSkip, 4: kindSkip},
	kindType:       {1: kindTensorType, 4: kindSkip, 5: kindSkip, 8: kindSkip, 9: kindSkip},
	kindTensorType: {2: kindShape},
	kindShape:      {1: kindDim},
	kindDim:        {},
}

type scanner struct {
	r      io.ReaderAt
	window []byte // a read-ahead copy of the file at [at, at+len(window))
	at     int64
	fields int
	kept   int

	scalars int
}

// packed are the fields of many numbers in one, besides those whose bytes may
// stay in the file.
var packed = map[kind]map[protowire.Number]bool{
	kindTensor:    {1: true, 5: true, 7: true, 11: true},
	kindAttribute: {7: true, 8: true},
}

// skeleton returns the model file r of the given size without bulk data.
func skeleton(r io.ReaderAt, size int64) ([]byte, error) {
	s := &scanner{r: r}
	return s.message(0, size, kindModel, 0)
}

// peek returns up to n bytes at pos, fewer only at the end of the file.
func (s *scanner) peek(pos int64, n int) ([]byte, error) {
	if pos < s.at || pos+int64(n) > s.at+int64(len(s.window)) {
		buf := make([]byte, max(n, 64<<10))
		got, err := s.r.ReadAt(buf, pos)
		if err != nil && err != io.EOF {
			return nil, err
		}
		s.window, s.at = buf[:got], pos
	}
	from := pos - s.at
	return s.window[from:min(from+int64(n), int64(len(s.window)))], nil
}

func (s *scanner) varint(pos, end int64) (v uint64, next int64, err error) {
	b, err := s.peek(pos, 10)
	if err != nil {
		return 0, 0, err
	}
	v, n := protowire.ConsumeVarint(b)
	if n < 0 || pos+int64(n) > end {
		return 0, 0, fmt.Errorf("truncated or damaged at byte %d", pos)
	}
	return v, pos + int64(n), nil
}

func (s *scanner) keep(out *bytes.Buffer, pos, n int64) error {
	if s.kept += int(min(n, maxSkeleton+1)); s.kept > maxSkeleton {
		return fmt.Errorf("more than %d MB besides weights", maxSkeleton>>20)
	}
	b, err := s.peek(pos, int(n))
	if err != nil {
		return err
	}
	if int64(len(b)) < n {
		return fmt.Errorf("truncated at byte %d", pos+int64(len(b)))
	}
	out.Write(b)
	return nil
}

func (s *scanner) message(pos, end int64, k kind, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	var out bytes.Buffer
	for pos < end {
		start := pos
		tag, next, err := s.varint(pos, end)
		if err != nil {
			return nil, err
		}
		num, wire := protowire.DecodeTag(tag)
		if num < 1 {
			return nil, fmt.Errorf("damaged at byte %d", pos)
		}
		pos = next
		if wire != protowire.BytesType {
			s.scalars++
		}
		if s.scalars > maxScalars {
			return nil, fmt.Errorf("more than %d numbers besides weights", maxScalars)
		}
		switch wire {
		case protowire.VarintType:
			_, pos, err = s.varint(pos, end)
		case protowire.Fixed32Type:
			pos += 4
		case protowire.Fixed64Type:
			pos += 8
		case protowire.BytesType:
			var n uint64
			if n, pos, err = s.varint(pos, end); err == nil {
				if n > uint64(end-pos) {
					return nil, fmt.Errorf("truncated: %d bytes announced at byte %d, %d left", n, pos, end-pos)
				}
				if packed[k][num] {
					s.scalars += int(min(n, maxScalars+1))
				}
				if err := s.bytesField(&out, start, pos, int64(n), num, children[k][num], depth); err != nil {
					return nil, err
				}
				pos += int64(n)
				continue
			}
		default:
			return nil, fmt.Errorf("damaged at byte %d: wire type %d", start, wire)
		}
		if err != nil {
			return nil, err
		}
		if pos > end {
			return nil, fmt.Errorf("truncated at byte %d", start)
		}
		if err := s.keep(&out, start, pos-start); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// bytesField copies one length-delimited field: its tag lies at start, its n
// bytes at pos.
func (s *scanner) bytesField(out *bytes.Buffer, start, pos, n int64, num protowire.Number, child kind, depth int) error {
	if s.fields++; s.fields > maxFields {
		return fmt.Errorf("more than %d fields", maxFields)
	}
	switch {
	case child == kindSkip:
		return nil
	case child == kindBulk && n > keepInline:
		out.Write(externalData(pos, n))
		return nil
	case child == kindOther || child == kindBulk:
		return s.keep(out, start, pos-start+n)
	}
	body, err := s.message(pos, pos+n, child, depth+1)
	if err != nil {
		return err
	}
	b := protowire.AppendTag(nil, num, protowire.BytesType)
	out.Write(protowire.AppendBytes(b, body))
	return nil
}

// externalData encodes TensorProto fields that point at bytes of this file.
func externalData(offset, length int64) []byte {
	var b []byte
	for _, kv := range [][2]string{
		{"location", selfLocation},
		{"offset", strconv.FormatInt(offset, 10)},
		{"length", strconv.FormatInt(length, 10)},
	} {
		var entry []byte
		entry = protowire.AppendTag(entry, 1, protowire.BytesType)
		entry = protowire.AppendString(entry, kv[0])
		entry = protowire.AppendTag(entry, 2, protowire.BytesType)
		entry = protowire.AppendString(entry, kv[1])
		b = protowire.AppendTag(b, 13, protowire.BytesType)
		b = protowire.AppendBytes(b, entry)
	}
	b = protowire.AppendTag(b, 14, protowire.VarintType)
	return protowire.AppendVarint(b, 1)
}
