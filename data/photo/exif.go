package photo

import "encoding/binary"

// tagOrientation is EXIF's and TIFF's tag of how the camera was held.
const tagOrientation = 0x0112

// orientation is the value of the tag in the first directory of a TIFF or EXIF
// block, 1..8; 1, which is upright, where it has none or is broken.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	return directoryOrientation(order, int(order.Uint16(tiff[at:])), tiff[at+2:])
}

// directoryOrientation looks through the entries of one directory, 12 bytes
// each: tag, type, count, value.
func directoryOrientation(order binary.ByteOrder, entries int, raw []byte) int {
	for ; entries > 0 && len(raw) >= 12; raw, entries = raw[12:], entries-1 {
		if order.Uint16(raw) == tagOrientation {
			if o := int(order.Uint16(raw[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
	}
	return 1
}
