package torture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"strings"
)

// resized changes the size in the header of a JPEG, PNG or BMP; what follows is
// that of a small picture.
func resized(raw []byte, side uint32, progressive bool) []byte {
	out := bytes.Clone(raw)
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xd8")):
		at := bytes.Index(raw, []byte{0xff, 0xc0}) // the frame's marker
		if at < 0 {
			return raw
		}
		if progressive {
			out[at+1] = 0xc2
		}
		binary.BigEndian.PutUint16(out[at+5:], uint16(min(side, 65535)))
		binary.BigEndian.PutUint16(out[at+7:], uint16(min(side, 65535)))
	case bytes.HasPrefix(raw, []byte("\x89PNG")):
		binary.BigEndian.PutUint32(out[16:], side)
		binary.BigEndian.PutUint32(out[20:], side)
		binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	case bytes.HasPrefix(raw, []byte("BM")):
		binary.LittleEndian.PutUint32(out[18:], side)
		binary.LittleEndian.PutUint32(out[22:], side)
	}
	return out
}

// bomb writes a small photo that takes much to decode: a sound file, not a faulty one.
func bomb(side int, deep bool) func(path string) error {
	return func(path string) error {
		if !strings.HasSuffix(path, ".png") {
			return errors.ErrUnsupported
		}
		var m image.Image = image.NewGray(image.Rect(0, 0, side, side))
		if deep {
			m = image.NewNRGBA64(image.Rect(0, 0, side, side))
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		e := png.Encoder{CompressionLevel: png.BestSpeed}
		return firstError(e.Encode(f, m), f.Close())
	}
}
