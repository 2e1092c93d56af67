package openimages

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestFiveMillionRows measures the scan on a generated label file of the
// official form: rows per second, and the most memory in use, for one million
// and for five million rows. It also checks that memory does not grow.
func TestFiveMillionRows(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("takes half a minute and 500 MB of disk: set WSSS_VERIFY=1")
	}
	dir := t.TempDir()
	peak := map[int]uint64{}
	for _, n := range []int{1_000_000, 5_000_000} {
		path := filepath.Join(dir, fmt.Sprintf("labels-%d.csv", n))
		size := official(t, path, n)
		most, stop := watchHeap()
		began := time.Now()
		m, err := Build(context.Background(), filepath.Join(dir, fmt.Sprint(n)), Options{
			Classes: "coco", Split: "train", Labels: []string{path}, Sampling: Sampling{PerClass: 1000}})
		took := time.Since(began)
		stop()
		if err != nil {
			t.Fatal(err)
		}
		peak[n] = *most
		t.Logf("%d rows, %d MB: %.1f s, %.2f million rows/s, %d MB/s, kept %d rows, chose %d images, heap at most %.1f MB",
			n, size>>20, took.Seconds(), float64(n)/1e6/took.Seconds(), int(float64(size>>20)/took.Seconds()), m.Sources[0].Kept, m.Images, float64(*most)/1e6)
	}
	if peak[5_000_000] > peak[1_000_000]+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", peak[1_000_000], peak[5_000_000])
	}
}

// official writes rows like those of the image label file: some five labels
// per image, one in six of a wanted class, most of them verified absent.
func official(t *testing.T, path string, rows int) int64 {
	t.Helper()
	l, err := newLabels("coco", "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprint(w, labelHead)
	for i := range rows {
		label := fmt.Sprintf("/m/0other%d", i%97)
		if i%6 == 0 {
			label = l.ids[i/6%len(l.ids)]
		}
		fmt.Fprintf(w, "%016x,crowdsource-verification,%s,%d\n", uint64(i/5+1)*0x9e3779b97f4a7c15, label, i/6%3/2)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// watchHeap notes the most memory in use until stop is called.
func watchHeap() (most *uint64, stop func()) {
	runtime.GC()
	most = new(uint64)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			*most = max(*most, m.HeapAlloc)
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return most, func() { close(done); <-ended }
}
