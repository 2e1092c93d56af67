package data

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"os"
)

// Orientation is the EXIF orientation of a JPEG file: 1 to 8, of which 1 is
// upright; 1 also where the file says nothing, is no JPEG, or its EXIF is
// broken. ReadImage does not apply it.
func Orientation(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 1, err
	}
	defer f.Close()
	if o := orientation(exif(bufio.NewReader(f))); o >= 1 && o <= 8 {
		return o, nil
	}
	return 1, nil
}

// exif is the TIFF part of a JPEG's EXIF segment, nil where there is none
// before the pixels begin.
func exif(r *bufio.Reader) []byte {
	var head [4]byte // marker and length of a segment
	if _, err := io.ReadFull(r, head[:2]); err != nil || head[0] != 0xff || head[1] != 0xd8 {
		return nil
	}
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0xff || head[1] == 0xda {
			return nil
		}
		size := int(binary.BigEndian.Uint16(head[2:])) - 2
		if size < 0 {
			return nil
		}
		if head[1] != 0xe1 {
			if _, err := r.Discard(size); err != nil {
				return nil
			}
			continue
		}
		segment := make([]byte, size)
		if _, err := io.ReadFull(r, segment); err != nil {
			return nil
		}
		if tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok {
			return tiff
		}
	}
}

// orientation is the value of the tag in the first directory, 0 where it has
// none.
func orientation(tiff []byte) int {
	const tag = 0x0112
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	entries := int(order.Uint16(tiff[at:]))
	for e := tiff[at+2:]; entries > 0 && len(e) >= 12; e, entries = e[12:], entries-1 {
		if order.Uint16(e) == tag {
			return int(order.Uint16(e[8:]))
		}
	}
	return 0
}
