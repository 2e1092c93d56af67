package openimages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wsss/data/datatest"
)

// bucket serves photos, and fails as servers do: by the photo's number mod 5 it
// answers at once, with 503 twice, cut short once, with a page of HTML once, or
// 404 always.
type bucket struct {
	photo []byte
	mu    sync.Mutex
	asked map[string]int
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.asked[r.URL.Path]++
	n := b.asked[r.URL.Path]
	b.mu.Unlock()
	var split, i int
	if _, err := fmt.Sscanf(filepath.Base(r.URL.Path), "%08x%08x.jpg", &split, &i); err != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	switch {
	case i%5 == 1 && n < 3:
		w.WriteHeader(http.StatusServiceUnavailable)
	case i%5 == 2 && n < 2:
		w.Header().Set("Content-Length", fmt.Sprint(len(b.photo)))
		w.Write(b.photo[:len(b.photo)/2])
		panic(http.ErrAbortHandler)
	case i%5 == 3 && n < 2:
		fmt.Fprint(w, "<html>please log in</html>")
	case i%5 == 4:
		http.NotFound(w, r)
	default:
		w.Write(b.photo)
	}
}

func newBucket(t *testing.T) (*bucket, string) {
	t.Helper()
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewRGBA(image.Rect(0, 0, 16, 12)), nil); err != nil {
		t.Fatal(err)
	}
	b := &bucket{photo: photo.Bytes(), asked: map[string]int{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, server.URL
}

func writeList(t *testing.T, n int) string {
	t.Helper()
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "train/%016x\n", i)
	}
	path := filepath.Join(t.TempDir(), "train.images.txt")
	datatest.Write(t, path, text.String())
	return path
}

// TestFetch: servers that fail are asked again, photos that are gone are listed,
// whole ones are not asked for twice, and nothing half-written stays.
func TestFetch(t *testing.T) {
	b, url := newBucket(t)
	list, folder := writeList(t, 50), filepath.Join(t.TempDir(), "images")
	o := FetchOptions{From: url + "/", Workers: 8, Wait: time.Millisecond}
	got, err := Fetch(context.Background(), list, folder, o)
	if err != nil {
		t.Fatal(err)
	}
	if got.New != 40 || got.Here != 0 || len(got.Missing) != 10 || got.Missing[0] != "train/0000000000000004" {
		t.Errorf("fetched %+v", got)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 40 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil || !bytes.Equal(raw, b.photo) {
			t.Errorf("%s: %d bytes, %v", e.Name(), len(raw), err)
		}
	}
	clear(b.asked)
	if got, err = Fetch(context.Background(), list, folder, o); err != nil || got.Here != 40 || got.New != 0 || len(b.asked) != 10 {
		t.Errorf("again: %+v, %v, %d photos asked for", got, err, len(b.asked))
	}
}

func TestFetchFaults(t *testing.T) {
	_, url := newBucket(t)
	folder := t.TempDir()
	o := FetchOptions{From: url, Workers: 2, Tries: 2, Wait: time.Millisecond}
	// Photo 1 answers 503 twice: two tries are not enough, and it is the first.
	if _, err := Fetch(context.Background(), writeList(t, 4), folder, o); err == nil || !strings.Contains(err.Error(), "0000000000000001.jpg: 503") || !strings.Contains(err.Error(), "after 2 tries") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b, other := newBucket(t)
	o.From = other
	if _, err := Fetch(ctx, writeList(t, 4), t.TempDir(), o); !errors.Is(err, context.Canceled) || len(b.asked) != 0 {
		t.Errorf("%v, %d photos asked for", err, len(b.asked))
	}
	for _, line := range []string{"../etc/passwd", "train/../../x", "train/12", "elsewhere/0000000000000001", "0000000000000001"} {
		path := filepath.Join(t.TempDir(), "list.txt")
		datatest.Write(t, path, "train/0000000000000000\n"+line+"\n")
		if _, err := Fetch(context.Background(), path, t.TempDir(), o); err == nil || !strings.Contains(err.Error(), "list.txt:2:") {
			t.Errorf("%q: %v", line, err)
		}
	}
}
