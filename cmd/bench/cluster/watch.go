package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pace is the time between two looks at what runs.
const pace = 100 * time.Millisecond

// accessLog reads what the server writes down of its requests.
type accessLog struct {
	path     string
	at       int64                      // bytes that have been read
	requests int                        // of them
	made     map[string]int             // label maps that were sent, by the folder of the run
	seen     map[string]map[string]bool // … and which
}

// read takes what was written since.
func (a *accessLog) read() error {
	f, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(a.at, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) { // the rest of this line is yet to come
			return nil
		}
		if err != nil {
			return err
		}
		a.at += int64(len(line))
		a.note(strings.Fields(line))
	}
}

func (a *accessLog) note(fields []string) {
	op := slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, "s3_") }) // the key follows
	if op < 0 || op+1 == len(fields) {
		return
	}
	a.requests++
	run, name, ok := strings.Cut(fields[op+1], "/gen/")
	if fields[op] != "s3_PutObject" || !ok || !strings.HasSuffix(name, ".png") {
		return
	}
	if a.seen[run] == nil {
		a.seen[run] = map[string]bool{}
	}
	a.seen[run][name] = true
	a.made[run]++
}

// watch follows a run of the campaign.
type watch struct {
	*campaign
	run    string // its folder
	memory memory
}

func (c *campaign) watch(run string) *watch { return &watch{campaign: c, run: run} }

// look tells how many images have a label, and notes what the processes hold.
func (w *watch) look(pids ...int) (made int, err error) {
	if err := w.access.read(); err != nil {
		return 0, err
	}
	made = len(w.access.seen[w.run])
	quarter := min(4*made/w.images, 3)
	for _, pid := range pids {
		w.memory[quarter] = max(w.memory[quarter], resident(pid))
	}
	return made, nil
}

// memory is the most that a process held in each quarter of a run's images, bytes.
type memory [4]int64

func (m memory) print() {
	if m[0] == 0 {
		return // the system does not tell
	}
	fmt.Printf("  resident memory of a process at most, in the four quarters of the images: %d, %d, %d, %d MB\n", m[0]/1e6, m[1]/1e6, m[2]/1e6, m[3]/1e6)
}

// resident is what a process holds at present, bytes; 0 where it has ended or the
// system does not tell.
func resident(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := bytes.Fields(raw)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
