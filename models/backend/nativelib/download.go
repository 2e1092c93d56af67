package nativelib

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/go-xla/installer"
)

// platform is how a Python package for this machine is called.
func platform() *regexp.Regexp {
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64":
		return regexp.MustCompile(`manylinux.*x86_64`)
	case "linux/arm64":
		return regexp.MustCompile(`manylinux.*aarch64`)
	case "darwin/arm64":
		return regexp.MustCompile(`macosx.*arm64`)
	}
	return regexp.MustCompile(`^$`)
}

// envIndex names a mirror of PyPI, as for pip.
const envIndex = "PIP_INDEX_URL"

// published is a file of a pinned package.
type published struct{ name, address, hash string }

// locate asks PyPI, or the mirror that PIP_INDEX_URL names, for the address of a
// pinned package's file for this machine.
func locate(ctx context.Context, p pin) (address, hash string, err error) {
	var list []published
	if index := os.Getenv(envIndex); index != "" {
		list, err = fromMirror(ctx, index, p)
	} else {
		list, err = fromPyPI(p)
	}
	if err != nil {
		return "", "", err
	}
	for _, f := range list {
		if slices.Contains(p.Hashes, f.hash) && platform().MatchString(f.name) {
			return f.address, f.hash, nil
		}
	}
	return "", "", fmt.Errorf("%s %s has no file with a pinned SHA-256 for %s/%s", p.Name, p.Version, runtime.GOOS, runtime.GOARCH)
}

// fromPyPI lists a version's files as go-xla's installer finds them.
func fromPyPI(p pin) ([]published, error) {
	info, err := installer.GetPipInfo(p.Name)
	if err != nil {
		return nil, err
	}
	var list []published
	for _, f := range info.Releases[p.Version] {
		if !strings.HasPrefix(f.URL, "https://") {
			return nil, fmt.Errorf("%s: the address %q is not whole, so something stands between here and PyPI: name its simple index in %s", p.Name, f.URL, envIndex)
		}
		list = append(list, published{f.Filename, f.URL, f.Digests["sha256"]})
	}
	return list, nil
}

// fromMirror lists a package's files by the index's own JSON.
func fromMirror(ctx context.Context, index string, p pin) ([]published, error) {
	base, err := url.Parse(strings.TrimRight(index, "/") + "/" + p.Name + "/")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envIndex, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.pypi.simple.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", base.Redacted(), res.Status)
	}
	var found struct {
		Files []struct {
			Filename, URL string
			Hashes        map[string]string
		}
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<26)).Decode(&found); err != nil {
		return nil, fmt.Errorf("%s: no list of files in JSON: %w", base.Redacted(), err)
	}
	var list []published
	for _, f := range found.Files {
		at, err := base.Parse(f.URL)
		if err != nil {
			return nil, err
		}
		list = append(list, published{f.Filename, at.String(), f.Hashes["sha256"]})
	}
	return list, nil
}

// download writes the file at an address to path and checks its SHA-256.
func download(ctx context.Context, address, path, hash string, say func(string)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, res.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	body := &counted{Reader: res.Body, total: res.ContentLength, say: say}
	_, err = io.Copy(io.MultiWriter(f, sum), body)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != hash {
		return fmt.Errorf("%s: SHA-256 is %s, pinned is %s: nothing of it is used", address, got, hash)
	}
	return nil
}

// counted says now and then how far a download is.
type counted struct {
	io.Reader
	done, total int64
	last        time.Time
	say         func(string)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.done += int64(n)
	if time.Since(c.last) > time.Second {
		c.last = time.Now()
		c.say(fmt.Sprintf("%d of %d MB", c.done>>20, c.total>>20))
	}
	return n, err
}

// unzip writes the files that target names below to.
func unzip(path, to string, target func(name string) (path, hash string)) error {
	r, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		name, hash := target(f.Name)
		if name == "" || f.FileInfo().IsDir() {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the package names a file outside of it: %q", f.Name)
		}
		if err := unzipFile(f, filepath.Join(to, name), hash); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func unzipFile(f *zip.File, path, hash string) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644|f.Mode().Perm()&0o111)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); hash != "" && got != hash {
		return fmt.Errorf("SHA-256 is %s, pinned is %s", got, hash)
	}
	return nil
}
