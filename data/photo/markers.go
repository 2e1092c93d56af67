package photo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Markers of JPEG (ITU T.81, table B.1).
const (
	markSOF0  = 0xc0
	markDHT   = 0xc4
	markJPG   = 0xc8
	markDAC   = 0xcc
	markSOF15 = 0xcf
	markRST0  = 0xd0
	markRST7  = 0xd7
	markEOI   = 0xd9
	markSOS   = 0xda
	markAPP1  = 0xe1
	markAPP14 = 0xee
)

// maxScans bounds the passes of one photo; encoders write about ten.
const maxScans = 256

// markers is what the segments of a JPEG say.
type markers struct {
	width, height int
	components    int
	sampling      [4]struct{ id, h, v int }
	progressive   bool
	adobe         bool
	orientation   int   // 0: none
	heightAt      int64 // offset of the height in the frame header

	scans   int
	missing [4][64]bool // per component: coefficients that lack their last bit, once the frame is known
	ended   bool        // EOI was met
}

// samples is how many samples of all components there are for each pixel.
func (m *markers) samples() float64 {
	hMax, vMax := 1, 1
	for _, s := range m.sampling[:m.components] {
		hMax, vMax = max(hMax, s.h), max(vMax, s.v)
	}
	sum := 0.
	for _, s := range m.sampling[:m.components] {
		sum += float64(s.h*s.v) / float64(hMax*vMax)
	}
	return sum
}

// rows is the height of a row of minimum coded units.
func (m *markers) rows() int {
	if m.components == 1 {
		return 8
	}
	v := 1
	for _, s := range m.sampling[:m.components] {
		v = max(v, s.v)
	}
	return 8 * v
}

// complete tells whether the scans that were met hold every pixel to its last
// bit.
func (m *markers) complete() bool {
	for _, c := range m.missing[:m.components] {
		for _, lacks := range c {
			if lacks {
				return false
			}
		}
	}
	return m.scans > 0
}

// segments reads a JPEG marker by marker.
type segments struct {
	r  *bufio.Reader
	at int64
}

func (s *segments) byte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.at++
	}
	return b, err
}

// next skips to the next marker: coded data, stuffed bytes and restarts are no
// such.
func (s *segments) next() (byte, error) {
	for {
		b, err := s.byte()
		for err == nil && b == 0xff {
			if b, err = s.byte(); err == nil && b != 0xff && b != 0 && (b < markRST0 || b > markRST7) {
				return b, nil
			}
		}
		if err != nil {
			return 0, err
		}
	}
}

// body reads the segment that follows a marker.
func (s *segments) body() ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(s.r, size[:]); err != nil {
		return nil, err
	}
	n := int(size[0])<<8 | int(size[1])
	if n < 2 {
		return nil, errors.New("damaged JPEG: a segment without length")
	}
	raw := make([]byte, n-2)
	_, err := io.ReadFull(s.r, raw)
	s.at += int64(n)
	return raw, err
}

// scanJPEG reads the segments up to the first pixels, or all of them. Where
// the file ends early the error is io.EOF or io.ErrUnexpectedEOF, and what was
// met is returned.
func scanJPEG(r io.Reader, header bool) (*markers, error) {
	m := &markers{}
	s := &segments{r: bufio.NewReader(r)}
	for {
		mark, err := s.next()
		switch {
		case err != nil:
			return m, err
		case mark == markEOI:
			if m.ended = true; m.components == 0 {
				return m, errors.New("damaged JPEG: it ends before its frame header")
			}
			return m, nil
		case mark == 0xd8 || mark == 1: // SOI, TEM: no body
			continue
		}
		at := s.at
		raw, err := s.body()
		if err != nil {
			return m, err
		}
		switch {
		case mark >= markSOF0 && mark <= markSOF15 && mark != markDHT && mark != markJPG && mark != markDAC:
			m.heightAt = at + 3
			err = m.frame(mark, raw)
		case mark == markSOS:
			if err = m.scan(raw); err == nil && header {
				return m, nil
			}
		case mark == markAPP1 && m.orientation == 0:
			if tiff, ok := bytes.CutPrefix(raw, []byte("Exif\x00\x00")); ok {
				m.orientation = orientation(tiff)
			}
		case mark == markAPP14 && bytes.HasPrefix(raw, []byte("Adobe")):
			m.adobe = true
		}
		if err != nil {
			return m, err
		}
	}
}

// codings names the kinds of JPEG that are not read.
var codings = map[byte]string{
	0xc3: "lossless", 0xc5: "hierarchical", 0xc6: "hierarchical", 0xc7: "lossless hierarchical",
	0xc9: "arithmetic-coded", 0xca: "arithmetic-coded progressive", 0xcb: "arithmetic-coded lossless",
	0xcd: "arithmetic-coded hierarchical", 0xce: "arithmetic-coded hierarchical", 0xcf: "arithmetic-coded hierarchical",
}

func (m *markers) frame(mark byte, raw []byte) error {
	if coding := codings[mark]; coding != "" {
		return fmt.Errorf("a %s JPEG, which is not read: save it as an ordinary JPEG or as PNG", coding)
	}
	if len(raw) < 6 || len(raw) < 6+3*int(raw[5]) || m.components != 0 {
		return errors.New("damaged JPEG: its frame header is broken or there twice")
	}
	if raw[0] != 8 {
		return fmt.Errorf("a JPEG of %d bits, which is not read: save it as an ordinary JPEG of 8 bits or as PNG", raw[0])
	}
	m.height, m.width = int(raw[1])<<8|int(raw[2]), int(raw[3])<<8|int(raw[4])
	m.components, m.progressive = int(raw[5]), mark == 0xc2
	if n := m.components; n != 1 && n != 3 && n != 4 || m.width == 0 || m.height == 0 {
		return fmt.Errorf("a JPEG of %d×%d pixels and %d components: save it as an ordinary JPEG or as PNG", m.width, m.height, n)
	}
	for c := range m.components {
		s := &m.sampling[c]
		s.id, s.h, s.v = int(raw[6+3*c]), int(raw[7+3*c]>>4), int(raw[7+3*c]&15)
		if s.h < 1 || s.h > 4 || s.v < 1 || s.v > 4 {
			return fmt.Errorf("damaged JPEG: component %d is sampled %d×%d", c+1, s.h, s.v)
		}
		for k := range m.missing[c] {
			m.missing[c][k] = true
		}
	}
	return nil
}

// scan notes which coefficients a scan completes.
func (m *markers) scan(raw []byte) error {
	if m.components == 0 || len(raw) < 1 || len(raw) < 4+2*int(raw[0]) {
		return errors.New("damaged JPEG: a scan without or with a broken header")
	}
	if m.scans++; m.scans > maxScans {
		return fmt.Errorf("a JPEG of more than %d passes: save it as an ordinary JPEG", maxScans)
	}
	n := int(raw[0])
	from, to, low := int(raw[1+2*n]), int(raw[2+2*n]), raw[3+2*n]&15
	if !m.progressive {
		from, to, low = 0, 63, 0
	}
	for k := range n {
		for c := range m.components {
			if int(raw[1+2*k]) != m.sampling[c].id {
				continue
			}
			for i := from; i <= min(to, 63); i++ {
				m.missing[c][i] = low != 0
			}
		}
	}
	return nil
}
