package main

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

// doneName is a file in the folder that wsss predict writes to, while it does:
// which images are finished.
const doneName = ".predict.done"

// finished remembers the images that a stopped wsss predict has labelled, so
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
		os.Remove(d.f.Name())
	}
	d.f.Close()
}

// whole are the formats whose files are made at the end, of the images of one
// call: nothing of a stopped call is left of them.
var whole = []string{"csv", "json"}

// goOn leaves out the images that a stopped call has finished, as long as they
// and their labels are what they were and the pictures made of them are there.
func (l *labelling) goOn(out string, formats []string, about any) error {
	files.SweepAll(out) // what killed processes left half written
	for _, format := range formats {
		if slices.Contains(whole, strings.TrimSpace(format)) {
			return nil // begins anew
		}
	}
	raw, err := json.Marshal([]any{about, formats, pipeline.Versions()})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	if l.done, err = openFinished(out, hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	if len(l.done.before) == 0 {
		return nil
	}
	pictures := picturesOf(formats)
	var rest []input
	for _, in := range l.images {
		stamp := l.done.before[in.id]
		ready := stamp != "" && stamp == l.stamp(in)
		for _, name := range pictures {
			ready = ready && files.Exists(filepath.Join(out, name(in.id)))
		}
		if !ready {
			rest = append(rest, in)
		}
	}
	l.before = len(l.images) - len(rest)
	l.images = rest
	return nil
}

// stamp tells the state of a photo and of the labels that a method works from;
// "" where either cannot be read.
func (l *labelling) stamp(in input) string {
	t, err := files.Stamp(in.path)
	if err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintln(h, in.path, t.UnixNano())
	if l.weak != "" && l.weak != data.WeakNone {
		raw, err := l.labels(in)
		if err != nil {
			return ""
		}
		h.Write(raw)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
