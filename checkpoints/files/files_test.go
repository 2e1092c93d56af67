package files

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWriteAtomicKeepsOldOnFailure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "x.txt")
	write := func(s string, fail error) error {
		return WriteAtomic(path, func(w io.Writer) error {
			io.WriteString(w, s)
			return fail
		})
	}
	if err := write("old", nil); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("disk on fire")
	if err := write("half", fault); !errors.Is(err, fault) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v: want the cause and the path", err)
	}
	func() {
		defer func() { recover() }()
		WriteAtomic(path, func(io.Writer) error { panic("graph") })
	}()
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("file is %q (%v), want the old one", got, err)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("temporary files left: %v", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v (%v), want 0644", info.Mode(), err)
	}
}

const killEnv = "WSSS_TEST_WRITE_ATOMIC"

// TestWriteAtomicKilled kills a process in the middle of a write, once it has
// written more than any buffer holds.
func TestWriteAtomicKilled(t *testing.T) {
	if path := os.Getenv(killEnv); path != "" {
		WriteAtomic(path, func(w io.Writer) error {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "x.bin")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriteAtomicKilled$")
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			cmd.Process.Kill()
			t.Fatal("the writer never started")
		}
		tmp, _ := filepath.Glob(filepath.Join(dir, ".tmp-*"))
		if len(tmp) == 1 {
			if info, err := os.Stat(tmp[0]); err == nil && info.Size() > 1<<18 {
				break
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("file has %d bytes (%v), want the old one", len(got), err)
	}
}

func TestWriteAtomicConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := WriteJSON(path, strings.Repeat(string(rune('a'+i)), 1<<17)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) != 1<<17+3 || strings.Count(string(raw), string(raw[1])) != 1<<17 {
		t.Errorf("file of %d bytes mixes two writers", len(raw))
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("temporary files left: %v", got)
	}
}

func TestJoin(t *testing.T) {
	for _, name := range []string{"", "/etc/passwd", "..", "../x", "a/../../x", "a/\x00b"} {
		if got, err := Join("root", name); err == nil {
			t.Errorf("Join(root, %q) = %q, want an error", name, got)
		}
	}
	for _, name := range []string{"x.png", "a/b.png", "a/../b.png", "..x"} {
		got, err := Join("root", name)
		if want := filepath.Join("root", name); err != nil || got != want {
			t.Errorf("Join(root, %q) = %q (%v), want %q", name, got, err, want)
		}
	}
}

// TestJoinFollowsSymlinks pins the documented choice: links inside root are
// the owner's and are followed.
func TestJoinFollowsSymlinks(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "x"), []byte("linked"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "images")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	path, err := Join(root, "images/x")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "linked" {
		t.Errorf("read %q (%v) through the link", raw, err)
	}
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	link, other := filepath.Join(dir, "link"), filepath.Join(dir, "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{dir, dir + "/./", true}, {dir, link, true}, {other, filepath.Join(link, "other"), true},
		{dir, other, false}, {dir, filepath.Join(dir, "none"), false}, {"s3:/b/x", "s3://b/x/", true}, {"s3:/b/x", "s3:/b/y", false},
	} {
		if got := Same(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %v", c.a, c.b, got)
		}
	}
}
