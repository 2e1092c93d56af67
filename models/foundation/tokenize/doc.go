// Package tokenize turns text into the token ids that CLIP and BERT read:
// byte-level BPE (docs/sources.md §7) and uncased WordPiece (docs/sources.md §4). Both read
// the vocabulary files that the models' authors publish.
package tokenize

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"wsss/checkpoints/files"
)

// maxVocabBytes bounds a vocabulary after decompression: a hostile gzip must
// not fill the memory. The largest real one is 3 MB.
const maxVocabBytes = 32 << 20

// readLines reads a text file, gzip-compressed or not, as lines without their
// line ends. The error names the file.
func readLines(path string) ([]string, error) {
	raw, err := files.ReadLimited(path, files.MaxRecord)
	if err != nil {
		return nil, err
	}
	lines, err := splitLines(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lines, nil
}

func splitLines(raw []byte) ([]string, error) {
	var r io.Reader = bytes.NewReader(raw)
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = zr
	}
	counted := &io.LimitedReader{R: r, N: maxVocabBytes + 1}
	scan := bufio.NewScanner(counted)
	scan.Buffer(nil, 1<<20)
	var lines []string
	for scan.Scan() {
		lines = append(lines, strings.TrimSuffix(scan.Text(), "\r"))
	}
	if err := scan.Err(); err != nil {
		return nil, err
	}
	if counted.N == 0 {
		return nil, fmt.Errorf("vocabulary is larger than %d bytes", maxVocabBytes)
	}
	return lines, nil
}
