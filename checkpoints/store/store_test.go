package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store"
	"wsss/checkpoints/store/storetest"
)

func mount(t *testing.T, address string, readOnly bool) string {
	t.Helper()
	path, err := files.Mount("out", address, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFiles: a bucket does what a folder does.
func TestFiles(t *testing.T) {
	s := storetest.Serve(t)
	root := mount(t, s.Address("runs/one"), false)
	for name, dir := range map[string]string{"a folder": t.TempDir(), "a bucket": root} {
		t.Run(name, func(t *testing.T) {
			put := func(at, text string) {
				if err := files.WriteAtomic(filepath.Join(dir, at), func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
					t.Fatal(err)
				}
			}
			put("a/b.txt", "bee")
			put("a/c/d.txt", "dee")
			put("e.json", "{}")
			if raw, err := files.ReadLimited(filepath.Join(dir, "a/b.txt"), 10); string(raw) != "bee" || err != nil {
				t.Error(string(raw), err)
			}
			if _, err := files.ReadLimited(filepath.Join(dir, "a/b.txt"), 2); err == nil {
				t.Error("a file over its limit was read")
			}
			var walked []string
			err := files.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				rel, _ := filepath.Rel(dir, path)
				walked = append(walked, fmt.Sprint(rel, d.IsDir()))
				return err
			})
			if want := "[.true atrue a/b.txtfalse a/ctrue a/c/d.txtfalse e.jsonfalse]"; fmt.Sprint(walked) != want || err != nil {
				t.Errorf("walked %v, want %v (%v)", walked, want, err)
			}
			if info, err := files.Stat(filepath.Join(dir, "a")); err != nil || !info.IsDir() {
				t.Error(info, err)
			}
			if info, err := files.Stat(filepath.Join(dir, "e.json")); err != nil || info.IsDir() || info.Size() != 2 || time.Since(info.ModTime()).Abs() > time.Minute {
				t.Error(info, err)
			}
			for _, err := range []error{
				func() error { _, err := files.Stat(filepath.Join(dir, "x")); return err }(),
				func() error { _, err := files.Open(filepath.Join(dir, "x")); return err }(),
				func() error { _, err := files.ReadDir(filepath.Join(dir, "x")); return err }(),
				files.Remove(filepath.Join(dir, "x")),
			} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a file that is not there: %v", err)
				}
			}
			one, two := files.CreateNew(filepath.Join(dir, "lease"), []byte("1")), files.CreateNew(filepath.Join(dir, "lease"), []byte("2"))
			if one != nil || !errors.Is(two, fs.ErrExist) {
				t.Error(one, two)
			}
			fault := errors.New("disk on fire")
			if err := files.WriteAtomic(filepath.Join(dir, "half"), func(w io.Writer) error { io.WriteString(w, "x"); return fault }); !errors.Is(err, fault) || files.Exists(filepath.Join(dir, "half")) {
				t.Error("half a file", err)
			}
			if err := files.Remove(filepath.Join(dir, "e.json")); err != nil || files.Exists(filepath.Join(dir, "e.json")) {
				t.Error(err)
			}
			if now, err := files.Clock(dir); err != nil || time.Since(now).Abs() > time.Minute {
				t.Error(now, err)
			}
		})
	}
}

// TestListsPages: more names than a page holds, sorted as a folder's.
func TestListsPages(t *testing.T) {
	s := storetest.Serve(t)
	for i := range 2345 {
		s.Put(fmt.Sprintf("many/%04d.png", i), nil)
	}
	s.Put("many/0001-x/y", nil)
	s.Put("many/", nil) // a marker, as consoles make them
	list, err := files.ReadDir(mount(t, s.Address("many"), true))
	if err != nil || len(list) != 2346 || list[1].Name() != "0001-x" || !list[1].IsDir() || list[2].Name() != "0001.png" {
		t.Errorf("%d names, %v", len(list), err)
	}
}

// TestCopies: what is only read is read once for its hash, size and pixels, and
// a result never from a copy.
func TestCopies(t *testing.T) {
	s := storetest.Serve(t)
	s.Put("in/a.jpg", []byte("photo"))
	s.Put("out/a.json", []byte("1"))
	in, out := mount(t, s.Address("in"), true), mount(t, s.Address("out"), false)
	before := s.Requests("GET")
	for range 5 {
		if raw, err := files.ReadFile(filepath.Join(in, "a.jpg")); string(raw) != "photo" || err != nil {
			t.Fatal(string(raw), err)
		}
	}
	if n := s.Requests("GET") - before; n != 1 {
		t.Errorf("a photo was read %d times", n)
	}
	undo := store.Distrust() // an old copy is asked about, and read again only where it has changed
	defer undo()
	for range 2 {
		if raw, err := files.ReadFile(filepath.Join(in, "a.jpg")); string(raw) != "photo" || err != nil {
			t.Fatal(string(raw), err)
		}
	}
	if n := s.Requests("GET") - before; n != 1 {
		t.Errorf("an unchanged photo was read %d times", n)
	}
	s.Put("in/a.jpg", []byte("another"))
	if raw, err := files.ReadFile(filepath.Join(in, "a.jpg")); string(raw) != "another" || err != nil {
		t.Error(string(raw), err)
	}
	for i := range 3 {
		text := fmt.Sprint(i)
		s.Put("out/a.json", []byte(text))
		if raw, err := files.ReadFile(filepath.Join(out, "a.json")); string(raw) != text || err != nil {
			t.Errorf("%q (%v), want %s", raw, err, text)
		}
	}
	h := files.OpenHashes(filepath.Join(t.TempDir(), "h"))
	sum, err := h.SHA256(filepath.Join(in, "a.jpg"))
	if err != nil || len(sum) != 64 {
		t.Error(sum, err)
	}
}

// TestFaults: what a store refuses for now is tried again; the rest is one clear
// error at once.
func TestFaults(t *testing.T) {
	defer store.Hasten(time.Millisecond, 300*time.Millisecond)()
	big := bytes.Repeat([]byte("0123456789"), 20_000)
	for name, tc := range map[string]struct {
		fail  func(n int, w http.ResponseWriter, r *http.Request) bool
		read  string // in the error; "" = it works
		write string
	}{
		"503 for a while": {fail: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n < 5 {
				storetest.Refuse(w, http.StatusServiceUnavailable, "SlowDown")
			}
			return n < 5
		}},
		"503 for ever": {fail: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			storetest.Refuse(w, http.StatusServiceUnavailable, "SlowDown")
			return true
		}, read: "tried 6 times", write: "tried 6 times"},
		"read-only": {fail: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				storetest.Refuse(w, http.StatusForbidden, "AccessDenied")
			}
			return r.Method == http.MethodPut
		}, write: "permission denied"},
		"full": {fail: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				storetest.Refuse(w, http.StatusInsufficientStorage, "QuotaExceeded")
			}
			return r.Method == http.MethodPut
		}, write: "QuotaExceeded"},
		"cut short once": {fail: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n > 1 || r.Method != http.MethodGet {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
			w.Write(big[:1000])
			return true
		}},
		"silent once": {fail: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 1 {
				select {
				case <-r.Context().Done():
				case <-time.After(5 * time.Second):
				}
			}
			return false
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Serve(t)
			s.Put("x/big", big)
			root := mount(t, s.Address("x"), false)
			check := func(what string, err error, want string) {
				t.Helper()
				if (err != nil) != (want != "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "/x/")) {
					t.Errorf("%s: %v, want %q", what, err, want)
				}
			}
			n := 0
			s.Failing(func(w http.ResponseWriter, r *http.Request) bool { n++; return tc.fail(n, w, r) })
			raw, err := files.ReadFile(filepath.Join(root, "big"))
			if check("read", err, tc.read); err == nil && !bytes.Equal(raw, big) {
				t.Errorf("read %d bytes of %d", len(raw), len(big))
			}
			n = 0
			err = files.WriteAtomic(filepath.Join(root, "new"), func(w io.Writer) error { _, err := w.Write(big); return err })
			if check("write", err, tc.write); tc.write == "" && !bytes.Equal(s.Get("x/new"), big) || tc.write != "" && s.Get("x/new") != nil {
				t.Errorf("it holds %d bytes", len(s.Get("x/new")))
			}
		})
	}
}

// TestLostAnswer: a lease that was made though its answer was lost is ours.
func TestLostAnswer(t *testing.T) {
	defer store.Hasten(time.Millisecond, 300*time.Millisecond)()
	s := storetest.Serve(t)
	root := mount(t, s.Address("y"), false)
	first := true
	s.Failing(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !first {
			return false
		}
		first = false
		go s.Put("y/lease", []byte("me"))
		storetest.Refuse(w, http.StatusInternalServerError, "InternalError")
		return true
	})
	if err := files.CreateNew(filepath.Join(root, "lease"), []byte("me")); err != nil {
		t.Error(err)
	}
	if err := files.CreateNew(filepath.Join(root, "lease"), []byte("you")); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	s := storetest.Serve(t)
	for _, tc := range []struct{ address, says string }{
		// A name of its own, for a bucket has one set of options in a process, and tests are repeated.
		{s.AddressOf(fmt.Sprint("nowhere", time.Now().UnixNano()), ""), "no such bucket"},
		{"s3://", "no bucket"},
		{"s3://me:hunter2@photos/x", "no name or password"},
		{"s3://photos/x?secret_key=hunter2", "unknown"},
		{"ftp://host/x", "allowed are a folder, s3://"},
		{"s3://photos/x#y", "#"},
	} {
		_, err := files.Mount("data.root", tc.address, true)
		if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.HasPrefix(err.Error(), "data.root: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", tc.address, err)
		}
	}
	for _, folder := range []string{"runs/demo", "/a/b", `C:/data`, "a:/b"} {
		if path, err := files.Mount("out", folder, false); path != folder || err != nil {
			t.Errorf("%s: %s, %v", folder, path, err)
		}
	}
}

// TestClockOff: a store refuses what a clock signed that is off by an hour, in either
// direction; it works all the same.
func TestClockOff(t *testing.T) {
	defer store.Hasten(time.Millisecond, time.Minute)()
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		s := storetest.Serve(t)
		s.Now = func() time.Time { return time.Now().Add(off) }
		root := mount(t, storetest.Signed(s.Address("x")), false)
		path := filepath.Join(root, "a.json")
		if err := files.WriteJSON(path, 1); err != nil {
			t.Errorf("%v: %v", off, err)
		}
		if raw, err := files.ReadFile(path); err != nil || string(raw) != "1\n" {
			t.Errorf("%v: %q, %v", off, raw, err)
		}
	}
}

// TestMeanings: what a user has to look at stands in front of the store's own words.
func TestMeanings(t *testing.T) {
	defer store.Hasten(time.Millisecond, time.Minute)()
	for code, want := range map[string]string{
		"SignatureDoesNotMatch": "does not take these credentials", "AuthorizationHeaderMalformed": "in another region", "RequestTimeTooSkewed": "the clock of this machine is off",
	} {
		s := storetest.Serve(t)
		s.Failing(func(w http.ResponseWriter, _ *http.Request) bool {
			storetest.Refuse(w, http.StatusForbidden, code)
			return true
		})
		_, err := files.Mount("out", s.Address("x"), false)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestTemporary: a store that is not there at present is told from a wrong address.
func TestTemporary(t *testing.T) {
	defer store.Hasten(time.Millisecond, time.Minute)()
	temporary := func(err error) bool {
		var e interface{ Temporary() bool }
		return errors.As(err, &e) && e.Temporary()
	}
	s := storetest.Serve(t)
	if _, err := files.Mount("out", s.AddressOf("nowhere", "x"), false); err == nil || temporary(err) {
		t.Errorf("no such bucket: %v", err)
	}
	for status, want := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusForbidden: false} {
		s.Failing(func(w http.ResponseWriter, _ *http.Request) bool {
			storetest.Refuse(w, status, "Refused")
			return true
		})
		if _, err := files.Mount("out", s.Address("x"), false); err == nil || temporary(err) != want {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// TestDamagedOnce: a file that is not what the store says of it is tried some times,
// and then not again for each that asks.
func TestDamagedOnce(t *testing.T) {
	defer store.Hasten(time.Millisecond, time.Minute)()
	s := storetest.Serve(t)
	s.Put("x/a.tar", []byte("whole"))
	root := mount(t, s.Address("x"), true)
	n := 0
	s.Failing(func(w http.ResponseWriter, r *http.Request) bool {
		n++
		w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
		w.Write([]byte("who"))
		return true
	})
	for range 5 {
		if _, err := files.ReadFile(filepath.Join(root, "a.tar")); err == nil || !strings.Contains(err.Error(), "damaged or cut short") {
			t.Errorf("%v", err)
		}
	}
	if n != 6 {
		t.Errorf("%d requests, want 6", n)
	}
	s.Failing(nil)
	defer store.Distrust()() // a while later
	if raw, err := files.ReadFile(filepath.Join(root, "a.tar")); err != nil || string(raw) != "whole" {
		t.Errorf("mended: %q, %v", raw, err)
	}
}
