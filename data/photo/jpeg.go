package photo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
)

var endOfJPEG = []byte{0xff, markEOI}

// adobeUnknown is the segment by which CMYK says that it is stored inverted,
// as every program writes it.
var adobeUnknown = []byte("\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")

// decodeJPEG decodes a JPEG, also one that lacks nothing but its end.
func (i Info) decodeJPEG(r io.ReaderAt, size int64) (*image.NRGBA, error) {
	var header []byte
	if i.bareCMYK {
		header = append([]byte("\xff\xd8"), adobeUnknown...)
	}
	img, used, err := jpegOf(r, size, 2, header)
	if err != nil || used {
		if fault := jpegFault(r, size, err); fault != nil {
			return nil, fault
		}
	}
	if ycc, ok := img.(*image.YCbCr); ok {
		return fromYCbCr(ycc), nil
	}
	return opaque(img), nil
}

// jpegOf decodes with an end put behind the file, and tells whether that was
// used. Where header is not nil it stands for so many first bytes of the file.
func jpegOf(r io.ReaderAt, size, skip int64, header []byte) (img image.Image, used bool, err error) {
	if header == nil {
		skip = 0
	}
	tail := &withEnd{r: bufio.NewReaderSize(io.NewSectionReader(r, skip, size-skip), 1<<16), end: endOfJPEG}
	stream := io.Reader(tail)
	if header != nil {
		stream = io.MultiReader(bytes.NewReader(header), tail)
	}
	img, err = jpeg.Decode(stream)
	return img, tail.used, err
}

// jpegFault says what is wrong with a JPEG that could not be decoded, or that
// ended early: nil where only its end is missing.
func jpegFault(r io.ReaderAt, size int64, err error) error {
	m, walk := scanJPEG(io.NewSectionReader(r, 0, size), false)
	early := errors.Is(walk, io.EOF) || errors.Is(walk, io.ErrUnexpectedEOF)
	switch {
	case err == nil && m.complete():
		return nil
	case err == nil || early && m.progressive:
		return fmt.Errorf("cut off after %d bytes: %d passes of the JPEG are there, the pixels lack the rest", size, m.scans)
	}
	var unsupported jpeg.UnsupportedError
	if errors.As(err, &unsupported) {
		return fmt.Errorf("a kind of JPEG that is not read (%s): save it as an ordinary JPEG or as PNG", string(unsupported))
	}
	if m.heightAt == 0 || m.progressive || walk != nil && !early {
		return fmt.Errorf("damaged JPEG: %w", err)
	}
	what := "damaged"
	if early {
		what = "cut off"
	}
	return fmt.Errorf("%s after %d of %d rows (%w)", what, wholeRows(r, size, m), m.height, err)
}

// wholeRows is how many rows of pixels a JPEG holds: the greatest height that,
// written into its header, makes it whole.
func wholeRows(r io.ReaderAt, size int64, m *markers) int {
	header := make([]byte, m.heightAt+2)
	if _, err := r.ReadAt(header, 0); err != nil {
		return 0
	}
	unit := m.rows()
	low, high := 0, (m.height+unit-1)/unit // low decodes, high does not
	for high-low > 1 {
		middle := (low + high) / 2
		binary.BigEndian.PutUint16(header[m.heightAt:], uint16(middle*unit))
		if _, _, err := jpegOf(r, size, int64(len(header)), header); err == nil {
			low = middle
		} else {
			high = middle
		}
	}
	return low * unit
}
