package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// spell is one run of a fuzz target.
type spell struct {
	Date       string  `json:"date"`
	Commit     string  `json:"commit"` // with + where the code was changed since
	Target     string  `json:"target"`
	Executions int64   `json:"executions"`
	Seconds    float64 `json:"cpu_seconds"`
	Broke      bool    `json:"broke,omitempty"`
}

func (s spell) plus(t spell) spell {
	s.Executions += t.Executions
	s.Seconds += t.Seconds
	return s
}

// rate is executions a CPU second.
func (s spell) rate() float64 { return float64(s.Executions) / max(s.Seconds, 1e-9) }

// spells is the file of all spells, a line of JSON each. It lies beside the
// corpus that they made, and goes with it (`go clean -fuzzcache`).
type spells struct {
	cache        string // the folder below which Go keeps the corpus
	path, commit string
	since        string           // day of the first spell
	total        map[string]spell // by target
	torn         bool             // the last line has no end
}

func openSpells(ctx context.Context) (*spells, error) {
	dir, err := output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	cache := filepath.Join(strings.TrimSpace(dir), "fuzz")
	t := &spells{cache: cache, path: filepath.Join(cache, "wsss", "executions.jsonl"), total: map[string]spell{}}
	if commit, err := output(ctx, "git", "rev-parse", "--short", "HEAD"); err == nil {
		t.commit = strings.TrimSpace(commit)
		if changed, _ := output(ctx, "git", "status", "--porcelain", "--untracked-files=no"); changed != "" {
			t.commit += "+"
		}
	}
	raw, err := os.ReadFile(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(raw) {
		var s spell
		if json.Unmarshal(line, &s) != nil {
			t.torn = !bytes.HasSuffix(line, []byte("\n")) // of a campaign that was killed
			continue
		}
		t.count(s)
	}
	return t, os.MkdirAll(filepath.Dir(t.path), 0o755)
}

func (t *spells) count(s spell) {
	if day, _, _ := strings.Cut(s.Date, "T"); t.since == "" || day < t.since {
		t.since = day
	}
	t.total[s.Target] = t.total[s.Target].plus(s)
}

// add writes a spell down. Campaigns may run beside each other: a line is
// appended at once.
func (t *spells) add(s spell) (err error) {
	s.Commit = t.commit
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if t.torn {
		line, t.torn = append([]byte("\n"), line...), false
	}
	f, err := os.OpenFile(t.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t.count(s)
	_, err = f.Write(append(line, '\n'))
	return err
}
