package openimages

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/photo"
)

// Bucket is the public address of the photos: BUCKET/<split>/<id>.jpg
// (docs/sources.md §9).
const Bucket = "https://open-images-dataset.s3.amazonaws.com"

// maxPhoto bounds one download: the largest photos of Open Images are a third
// of it.
const maxPhoto = 64 << 20

// FetchOptions say where photos come from and how hard to try.
type FetchOptions struct {
	From     string        // address of the bucket; "" = Bucket
	Workers  int           // downloads at a time; 0 = 16
	Tries    int           // of a photo whose server fails or whose bytes are damaged; 0 = 5
	Wait     time.Duration // before the second try, doubled each time; 0 = half a second
	Progress func(done, total int)
}

// Fetched is what Fetch did.
type Fetched struct {
	Here    int      // photos that were there already
	New     int      // downloaded
	Missing []string // "split/id" that the bucket does not hold
}

// Fetch downloads the photos of a list, lines "split/id", to folder/<id>.jpg.
// Each is decoded before it gets its name, so that a photo that is there is
// whole, and the same call goes on after an interruption. Servers that fail
// are asked again, a bounded number of times; photos that are gone are listed
// and left out. The error is that of the first photo, in the list's order, that
// could not be had.
func Fetch(ctx context.Context, list, folder string, o FetchOptions) (Fetched, error) {
	photos, err := readList(list)
	if err != nil {
		return Fetched{}, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return Fetched{}, err
	}
	if o.From == "" {
		o.From = Bucket
	}
	if o.Workers <= 0 {
		o.Workers = 16
	}
	if o.Tries <= 0 {
		o.Tries = 5
	}
	if o.Wait <= 0 {
		o.Wait = time.Second / 2
	}
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: o.Workers, ResponseHeaderTimeout: 30 * time.Second,
	}}
	var mu sync.Mutex
	var out Fetched
	gone := make([]bool, len(photos))
	err = data.ParallelContext(ctx, len(photos), o.Workers, o.Progress, func(ctx context.Context, _, i int) error {
		split, id, _ := strings.Cut(photos[i], "/")
		if findImage(folder, split, id) != "" {
			mu.Lock()
			out.Here++
			mu.Unlock()
			return nil
		}
		err := o.photo(ctx, client, photos[i], filepath.Join(folder, id+".jpg"))
		if errors.Is(err, errGone) {
			gone[i] = true
			return nil
		}
		if err == nil {
			mu.Lock()
			out.New++
			mu.Unlock()
		}
		return err
	})
	for i, g := range gone {
		if g {
			out.Missing = append(out.Missing, photos[i])
		}
	}
	return out, err
}

// FetchSplit downloads the photos that Build has listed for a split of a selection, below
// its folder (Fetch).
func FetchSplit(ctx context.Context, dir, split string, o FetchOptions) (Fetched, error) {
	list := List(dir, split)
	if _, err := os.Stat(list); err != nil {
		return Fetched{}, fmt.Errorf("%w: select photos first, with -labels", err)
	}
	got, err := Fetch(ctx, list, filepath.Join(dir, "images"), o)
	if err != nil {
		err = fmt.Errorf("%w\n%d photos were downloaded and %d were there: the same command goes on", err, got.New, got.Here)
	}
	return got, err
}

// List is the file that Build writes for a split of a selection.
func List(out, split string) string { return filepath.Join(out, split+listSuffix) }

// readList reads lines "split/id".
func readList(path string) ([]string, error) {
	f, size, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var photos []string
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, size))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		split, id, ok := strings.Cut(line, "/")
		if _, err := imageID([]byte(id)); !ok || err != nil || !slices.Contains(Splits, split) {
			return nil, fmt.Errorf("%s:%d: %q: wanted is a split (%s), a slash and 16 hexadecimal digits", path, n, line, strings.Join(Splits, ", "))
		}
		photos = append(photos, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return photos, nil
}

// errGone: the server says that there is no such photo.
var errGone = errors.New("the bucket has no such photo")

// photo downloads one photo, with pauses between tries that grow and differ,
// so that many workers do not come back together.
func (o FetchOptions) photo(ctx context.Context, client *http.Client, name, path string) error {
	address := strings.TrimSuffix(o.From, "/") + "/" + name + ".jpg"
	wait := o.Wait
	for try := 1; ; try++ {
		raw, again, err := get(ctx, client, address)
		if err == nil {
			if _, err = photo.Decode(bytes.NewReader(raw), int64(len(raw))); err == nil {
				return files.WriteAtomic(path, func(w io.Writer) error {
					_, err := w.Write(raw)
					return err
				})
			}
			err, again = fmt.Errorf("%s: what came is damaged: %w", address, err), true
		}
		if !again || ctx.Err() != nil {
			return err
		}
		if try == o.Tries {
			return fmt.Errorf("after %d tries: %w", try, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait *= 2
	}
}

// get reads a file whole; again tells whether it may go better another time.
func get(ctx context.Context, client *http.Client, address string) (raw []byte, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, true, err
	}
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusGone:
		return nil, false, errGone
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return nil, true, fmt.Errorf("%s: %s", address, resp.Status)
	case code != http.StatusOK:
		return nil, false, fmt.Errorf("%s: %s", address, resp.Status)
	case resp.ContentLength > maxPhoto:
		return nil, false, fmt.Errorf("%s: %d bytes are no photo of Open Images: at most %d are taken", address, resp.ContentLength, maxPhoto)
	}
	raw, err = io.ReadAll(io.LimitReader(resp.Body, maxPhoto+1))
	switch {
	case err != nil:
		return nil, true, fmt.Errorf("%s: %w", address, err)
	case len(raw) > maxPhoto:
		return nil, false, fmt.Errorf("%s: more than %d bytes are no photo of Open Images", address, maxPhoto)
	}
	return raw, false, nil
}
