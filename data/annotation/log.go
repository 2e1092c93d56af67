package annotation

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/data"
)

// entryLog keeps what a file that covers all images will hold, one line per
// image, while the images come in. A killed run loses at most the line it was
// writing; the next one appends to the rest. The lines stay beside the result
// as a hidden file, so that more images can be added later.
type entryLog struct {
	path string
	mu   sync.Mutex
	file *os.File
}

// logHead is the first line: entries of other classes must not be mixed in.
type logHead struct {
	Format  string   `json:"format"`
	Classes []string `json:"classes"`
}

// logLine is one entry.
type logLine struct {
	ID   string          `json:"id"`
	Data json.RawMessage `json:"data"`
}

// maxLine bounds the length of a line: the regions of one image.
const maxLine = 256 << 20

// openLog opens or starts the log of result, a file name below the folder.
func openLog(t Target, format, result string) (*entryLog, error) {
	l := &entryLog{path: filepath.Join(t.Dir, "."+result+".parts")}
	if err := files.MkdirAll(t.Dir); err != nil {
		return nil, err
	}
	want, err := json.Marshal(logHead{format, t.Classes.Names})
	if err != nil {
		return nil, err
	}
	if err := l.checkHead(string(want)); err != nil {
		return nil, err
	}
	if l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644); err != nil {
		return nil, err
	}
	if err := l.mend(want); err != nil {
		l.file.Close()
		return nil, err
	}
	return l, nil
}

func (l *entryLog) checkHead(want string) error {
	f, err := files.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := bufio.NewReader(io.LimitReader(f, 1<<20)).ReadString('\n')
	if err != nil {
		return files.Remove(l.path) // cut off within its first line: it holds nothing
	}
	if strings.TrimSpace(head) != want {
		return fmt.Errorf("%s is of a run with other classes: name another folder, or delete it and its result", l.path)
	}
	return nil
}

// mend writes the head of a new log and ends a line that was cut off.
func (l *entryLog) mend(head []byte) error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		_, err := l.file.Write(append(head, '\n'))
		return err
	}
	last := make([]byte, 1)
	if _, err := l.file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = l.file.Write([]byte{'\n'})
	}
	return err
}

// add appends the entry of one image, in a single write.
func (l *entryLog) add(id string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line, err := json.Marshal(logLine{id, raw})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = fmt.Fprintf(l.file, "%08x %s\n", crc32.ChecksumIEEE(line), line)
	return err
}

// span is where a line lies in the log.
type span struct {
	offset int64
	size   int
}

// index finds the last whole line of every image.
func (l *entryLog) index() ([]string, map[string]span, error) {
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(l.file, 1<<16)
	places := map[string]span{}
	head, err := in.ReadString('\n')
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", l.path, err)
	}
	offset := int64(len(head))
	for {
		text, err := readLine(in)
		if err != nil && err != io.EOF {
			return nil, nil, fmt.Errorf("%s: %w", l.path, err)
		}
		if line, ok := parseLine(text); ok {
			places[line.ID] = span{offset, len(text)}
		}
		offset += int64(len(text))
		if err == io.EOF {
			return slices.Sorted(maps.Keys(places)), places, nil
		}
	}
}

// readLine is ReadBytes('\n') with a bound.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(line) > maxLine {
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
	}
}

// parseLine checks a line's sum; false for one that was cut off or damaged.
func parseLine(text []byte) (line logLine, ok bool) {
	const sum = 9 // eight digits and a space
	if len(text) < sum+1 || text[len(text)-1] != '\n' {
		return line, false
	}
	body := text[sum : len(text)-1]
	if fmt.Sprintf("%08x ", crc32.ChecksumIEEE(body)) != string(text[:sum]) {
		return line, false
	}
	return line, json.Unmarshal(body, &line) == nil
}

// load reads one entry back.
func (l *entryLog) load(at span, v any) error {
	text := make([]byte, at.size)
	if _, err := l.file.ReadAt(text, at.offset); err != nil {
		return err
	}
	line, ok := parseLine(text)
	if !ok {
		return fmt.Errorf("%s changed while it was read", l.path)
	}
	return json.Unmarshal(line.Data, v)
}

// finish hands all entries to write, ids ascending, then closes the log.
func (l *entryLog) finish(write func(ids []string, load func(id string, v any) error) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil // closed twice
	}
	ids, places, err := l.index()
	if err == nil {
		err = write(ids, func(id string, v any) error { return l.load(places[id], v) })
	}
	err = errors.Join(err, l.file.Close())
	l.file = nil
	return err
}

// objectClasses are the classes that other tools are told of: all but the
// background.
func objectClasses(c data.Classes) []string { return c.Names[1:] }
