package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomlx/go-huggingface/hub"

	"wsss/models/official"
)

// partial ends the name of a file that is being fetched; a later pull goes on
// from what it holds.
const partial = ".part"

// remote is a file to fetch.
type remote struct {
	url    string
	token  string
	sha256 string
	size   int64 // 0 where it is not known
}

// Pull fetches the files of a model that are missing. A broken transfer is
// gone on with from where it stopped. Each file is checked by size and hash
// before it gets its name; where the manifest has no hash, the repository's
// counts and is recorded. progress may be nil.
func (s *Store) Pull(ctx context.Context, m Model, progress func(file string, done, total int64)) error {
	var repo *hub.Repo
	for _, f := range m.Files {
		path := s.Path(m, f)
		if f.Embed != "" {
			if err := s.unpack(f, path); err != nil {
				return err
			}
			continue
		}
		if _, err := os.Stat(path); err == nil {
			if err := s.check(ctx, m, f, false); err != nil {
				return err
			}
			continue
		}
		if f.Build != "" {
			if err := s.build(m, f, path); err != nil {
				return err
			}
			continue
		}
		if f.Local != "" {
			return missing(m, f, path)
		}
		if f.Path != "" && repo == nil {
			var err error
			if repo, err = s.repo(m); err != nil {
				return s.offline(m, err)
			}
		}
		from, err := locate(repo, m, f)
		if err != nil {
			return err
		}
		report := func(done, total int64) {
			if progress != nil {
				progress(f.Name(), done, total)
			}
		}
		if err := fetch(ctx, from, path, report); err != nil {
			return s.offline(m, fmt.Errorf("%s of %s: %w", f.Name(), m.Name, err))
		}
		if err := s.check(ctx, m, f, true); err != nil {
			return err
		}
	}
	return nil
}

// build makes a graph of the checkpoints that it points into, which stand
// before it in the manifest.
func (s *Store) build(m Model, f File, path string) error {
	var from []string
	for _, role := range f.From {
		c, err := m.file(role)
		if err != nil {
			return err
		}
		from = append(from, s.Path(m, c))
	}
	return official.Build(f.Build, from, path)
}

// repo asks the hub what the model's repository holds.
func (s *Store) repo(m Model) (*hub.Repo, error) {
	r := hub.New(m.Repo).WithAuth(os.Getenv("HF_TOKEN")).WithCacheDir(filepath.Join(s.dir, ".hub")).WithExtraBlobsInfo(true).WithProgressBar(false)
	if s.endpoint != "" {
		r = r.WithEndpoint(s.endpoint)
	}
	r.Verbosity = 0
	if err := r.DownloadInfo(true); err != nil {
		return nil, fmt.Errorf("repository %s: %w", m.Repo, err)
	}
	return r, nil
}

// offline is an error in one line, and says what to do where it is that the
// network cannot be reached.
func (s *Store) offline(m Model, err error) error {
	text := firstLine(err)
	for _, sign := range []string{"no such host", "server misbehaving", "dial tcp", "connection refused", "network is unreachable", "i/o timeout", "TLS handshake timeout", "proxyconnect"} {
		if strings.Contains(err.Error(), sign) {
			return fmt.Errorf("no network: %s cannot be reached (%s); fetch its files elsewhere and put them into %s", m.Origin(), sign, filepath.Join(s.dir, m.Name))
		}
	}
	if text != err.Error() {
		return errors.New(text)
	}
	return err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// locate finds a file's address, and what is known about its contents.
func locate(repo *hub.Repo, m Model, f File) (remote, error) {
	if f.URL != "" {
		return remote{url: f.URL, sha256: f.SHA256, size: f.Size}, nil
	}
	for _, info := range repo.Info().Siblings {
		if info.Name != f.Path {
			continue
		}
		url, err := repo.FileURL(f.Path)
		if err != nil {
			return remote{}, err
		}
		r := remote{url: url, token: os.Getenv("HF_TOKEN"), sha256: f.SHA256, size: info.Size}
		if info.LFS != nil {
			if r.sha256 == "" {
				r.sha256 = info.LFS.SHA256
			}
			r.size = info.LFS.Size
		}
		return r, nil
	}
	return remote{}, fmt.Errorf("repository %s has no file %s any more", m.Repo, f.Path)
}

// fetch downloads to path through path.part, from where that ends.
func fetch(ctx context.Context, from remote, path string, progress func(done, total int64)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part, err := os.OpenFile(path+partial, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer part.Close()
	done, err := part.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if from.size == 0 || done < from.size {
		if done, err = transfer(ctx, from, part, done, progress); err != nil {
			return err
		}
	}
	if from.size > 0 && done != from.size {
		return errors.Join(fmt.Errorf("%d bytes came, %d were announced", done, from.size), os.Remove(path+partial))
	}
	if from.sha256 != "" {
		sum, err := hash(ctx, path+partial)
		if err != nil {
			return err
		}
		if sum != from.sha256 {
			return errors.Join(fmt.Errorf("its SHA-256 is %s, not %s: it is thrown away, try again", sum, from.sha256), os.Remove(path+partial))
		}
	}
	if err := part.Sync(); err != nil {
		return err
	}
	return os.Rename(path+partial, path)
}

// transfer appends what the server has from byte done on; it returns the new
// length. A server that cannot resume sends everything again.
func transfer(ctx context.Context, from remote, part *os.File, done int64, progress func(done, total int64)) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.url, nil)
	if err != nil {
		return done, err
	}
	if from.token != "" {
		req.Header.Set("Authorization", "Bearer "+from.token)
	}
	if done > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(done, 10)+"-")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return done, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if at := resp.Header.Get("Content-Range"); !strings.HasPrefix(at, fmt.Sprintf("bytes %d-", done)) {
			return done, fmt.Errorf("%s: asked to go on from byte %d, the server answers with %q", from.url, done, at)
		}
	case http.StatusOK:
		done = 0
		if err := restart(part); err != nil {
			return 0, err
		}
	case http.StatusRequestedRangeNotSatisfiable:
		// Stopped between the last byte and the new name, or the file is another now.
		if resp.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", done) {
			return done, nil
		}
		return 0, errors.Join(fmt.Errorf("%s has changed since %d bytes of it came: they are thrown away, try again", from.url, done), restart(part))
	case http.StatusUnauthorized, http.StatusForbidden:
		return done, fmt.Errorf("%s: %s: accept the licence on its page and set HF_TOKEN", from.url, resp.Status)
	default:
		return done, fmt.Errorf("%s: %s", from.url, resp.Status)
	}
	total := from.size
	if total == 0 && resp.ContentLength > 0 {
		total = done + resp.ContentLength
	}
	buf := make([]byte, 1<<18)
	for {
		n, err := resp.Body.Read(buf)
		if _, werr := part.Write(buf[:n]); werr != nil {
			return done, werr
		}
		done += int64(n)
		progress(done, total)
		if err == io.EOF {
			return done, nil
		}
		if err != nil {
			return done, fmt.Errorf("the transfer broke off after %d bytes; the same command goes on from there: %w", done, err)
		}
	}
}

// restart empties a partial file.
func restart(part *os.File) error {
	if err := part.Truncate(0); err != nil {
		return err
	}
	_, err := part.Seek(0, io.SeekStart)
	return err
}
