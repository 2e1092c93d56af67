package photo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Info is what a photo's first bytes say of it.
type Info struct {
	Format      Format
	Stored      image.Point // size in pixels as stored
	Orientation int         // EXIF, 1..8; 1 is upright
	Misnamed    bool        // the name says another format

	decodeBytes float64 // memory per pixel that decoding takes, the result included
	bareCMYK    bool    // four components without Adobe's marker
}

// Size is the upright size, which Read gives.
func (i Info) Size() image.Point { return Upright(i.Stored, i.Orientation) }

// inspect reads the header of a photo of so many bytes.
func inspect(r io.ReaderAt, size int64) (Info, error) {
	head := make([]byte, min(headSize, size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return Info{}, err
	}
	format, err := sniff(head)
	if err != nil {
		return Info{}, err
	}
	i := Info{Format: format, Orientation: 1}
	section := io.NewSectionReader(r, 0, size)
	switch format {
	case JPEG:
		err = i.jpeg(section)
	case PNG:
		err = i.png(section)
	case WebP:
		err = i.webp(section)
	case TIFF:
		err = i.tiff(section)
	case BMP:
		err = i.bmp(section)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the %s is cut off within its header", format)
	}
	if err != nil {
		return i, fmt.Errorf("not a photo that is read: %w", err)
	}
	return i, i.check()
}

func (i *Info) take(c image.Config) { i.Stored = image.Pt(c.Width, c.Height) }

func (i *Info) jpeg(r io.Reader) error {
	m, err := scanJPEG(r, true)
	if err != nil {
		return err
	}
	if m.orientation != 0 {
		i.Orientation = m.orientation
	}
	i.Stored = image.Pt(m.width, m.height)
	samples := m.samples()
	i.decodeBytes = 4 + samples
	if m.progressive {
		i.decodeBytes += 4 * samples // a coefficient takes four bytes
	}
	if m.components == 4 {
		i.decodeBytes += 4
		i.bareCMYK = !m.adobe
	}
	return nil
}

func (i *Info) png(r io.ReadSeeker) error {
	c, err := png.DecodeConfig(bufio.NewReader(r))
	if err != nil {
		return err
	}
	i.take(c)
	var ihdr [33]byte
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.ReadFull(r, ihdr[:]); err != nil {
		return err
	}
	i.decodeBytes = 5
	if ihdr[24] == 16 {
		i.decodeBytes = 12
	}
	if ihdr[28] != 0 { // interlaced: a pass is decoded beside the whole
		i.decodeBytes += i.decodeBytes / 2
	}
	return i.pngChunks(r)
}

// pngChunks looks for EXIF, which stands before the pixels in all that cameras
// and libpng write.
func (i *Info) pngChunks(r io.ReadSeeker) error {
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		switch string(head[4:]) {
		case "IDAT", "IEND":
			return nil
		case "eXIf":
			raw, err := io.ReadAll(io.LimitReader(r, min(size, maxEXIF)))
			i.Orientation = orientation(raw)
			return err
		}
		if _, err := r.Seek(size+4, io.SeekCurrent); err != nil {
			return err
		}
	}
}

// maxEXIF bounds the part of a metadata block that is looked at.
const maxEXIF = 1 << 20

func (i *Info) webp(r io.ReadSeeker) error {
	c, err := webp.DecodeConfig(bufio.NewReader(r))
	if err != nil {
		return err
	}
	i.take(c)
	i.decodeBytes = 12 // lossless: its decoder holds the pixels about twice
	if _, err := r.Seek(12, io.SeekStart); err != nil {
		return err
	}
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil // no EXIF
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		switch string(head[:4]) {
		case "ANIM", "ANMF":
			return errors.New("an animated WebP: save one frame of it as JPEG or PNG")
		case "EXIF":
			raw, err := io.ReadAll(io.LimitReader(r, min(size, maxEXIF)))
			i.Orientation = orientation(bytes.TrimPrefix(raw, []byte("Exif\x00\x00")))
			return err
		}
		if _, err := r.Seek(size+size&1, io.SeekCurrent); err != nil {
			return err
		}
	}
}

func (i *Info) tiff(r *io.SectionReader) error {
	if err := i.tiffDirectory(r); err != nil {
		return err
	}
	c, err := tiff.DecodeConfig(r)
	if err != nil {
		return fmt.Errorf("%w: save it as an 8-bit RGB TIFF or as PNG", err)
	}
	i.take(c)
	switch c.ColorModel {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		i.decodeBytes = 20
	default:
		i.decodeBytes = 12
	}
	return nil
}

// tiffDirectory reads orientation from the first directory, and refuses what
// holds only a thumbnail there: most raw photos.
func (i *Info) tiffDirectory(r io.ReaderAt) error {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(head[4:]))
	var count [2]byte
	if _, err := r.ReadAt(count[:], at); err != nil {
		return err
	}
	entries := make([]byte, 12*int(order.Uint16(count[:])))
	if _, err := r.ReadAt(entries, at+2); err != nil {
		return err
	}
	const tagReduced, tagDNG = 254, 50706
	for e := entries; len(e) > 0; e = e[12:] {
		tag := order.Uint16(e)
		if tag == tagDNG || tag == tagReduced && order.Uint32(e[8:])&1 != 0 {
			return errors.New("a raw photo of a camera (DNG, NEF, ARW, …): develop it to JPEG or TIFF first")
		}
	}
	i.Orientation = directoryOrientation(order, len(entries)/12, entries)
	return nil
}

func (i *Info) bmp(r io.Reader) error {
	c, err := bmp.DecodeConfig(r)
	if err != nil {
		return fmt.Errorf("%w (compressed, or of 16 bits): save it as PNG", err)
	}
	i.take(c)
	i.decodeBytes = 8
	return nil
}
