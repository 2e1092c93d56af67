package predict

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/data"
)

// doneName is a file in the folder that labels are written to, while they are:
// which photos are finished.
const doneName = ".predict.done"

// finished remembers the photos that a stopped call has labelled, so
// that the same call goes on with the others. Its first line tells what was
// asked for; each other one is an image and the stamp of what it was made of.
// A nil *finished remembers nothing.
type finished struct {
	mu     sync.Mutex
	f      *os.File
	before map[string]string // id → stamp
}

// openFinished takes up what a stopped call of the same key has left in dir, or
// begins anew.
func openFinished(dir, key string) (*finished, error) {
	f, err := files.OpenOwn(filepath.Join(dir, doneName), os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	d := &finished{f: f, before: map[string]string{}}
	lines := bufio.NewReader(f)
	if head, _ := lines.ReadString('\n'); head != key+"\n" {
		err := f.Truncate(0)
		if err == nil {
			_, err = io.WriteString(f, key+"\n")
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return d, nil
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // also a last line that was cut short
			break
		}
		if stamp, quoted, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok {
			var id string
			if json.Unmarshal([]byte(quoted), &id) == nil {
				d.before[id] = stamp
			}
		}
	}
	// What was cut short ends here, so that the next line is whole.
	_, err = io.WriteString(f, "\n")
	return d, err
}

// add notes a finished image.
func (d *finished) add(id, stamp string) error {
	if d == nil || stamp == "" {
		return nil
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err = fmt.Fprintf(d.f, "%s %s\n", stamp, quoted)
	return err
}

// close ends the notes; complete ones are removed, and the next call begins
// anew.
func (d *finished) close(complete bool) {
	if d == nil {
		return
	}
	if complete {
		files.Remove(d.f.Name())
	}
	d.f.Close()
}

// madeAtEnd are the formats whose files are made at the end, of the photos of
// one call: nothing of a stopped call is left of them.
var madeAtEnd = []string{"csv", "json"}

// resume leaves out the photos that a stopped call has finished, as long as they
// and their labels are what they were and the pictures made of them are there.
func (l *labelling) resume(o Output, about any) error {
	files.SweepAll(o.Dir) // what killed processes left half written
	for _, format := range o.Formats {
		if slices.Contains(madeAtEnd, strings.TrimSpace(format)) {
			return nil // begins anew
		}
	}
	if files.IsRemote(o.Dir) { // which holds no notes that grow line by line
		return nil
	}
	raw, err := json.Marshal([]any{about, o.Formats, pipeline.Versions()})
	if err != nil {
		return err
	}
	if l.done, err = openFinished(o.Dir, files.SHA256Of(raw)); err != nil {
		return err
	}
	if len(l.done.before) == 0 {
		return nil
	}
	pictures := picturesOf(o.Formats)
	var rest []Photo
	for _, photo := range l.photos {
		stamp := l.done.before[photo.ID]
		ready := stamp != "" && stamp == l.stamp(photo)
		for _, name := range pictures {
			ready = ready && files.Exists(filepath.Join(o.Dir, name(photo.ID)))
		}
		if !ready {
			rest = append(rest, photo)
		}
	}
	l.before = len(l.photos) - len(rest)
	l.photos = rest
	return nil
}

// stamp tells the state of a photo and of the labels that a method works from;
// "" where either cannot be read.
func (l *labelling) stamp(photo Photo) string {
	t, err := files.Stamp(photo.Path)
	if err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintln(h, photo.Path, t.UnixNano())
	if l.weak != "" && l.weak != data.WeakNone {
		raw, err := l.labels(photo)
		if err != nil {
			return ""
		}
		h.Write(raw)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
