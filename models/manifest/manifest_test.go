package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsss/data/datatest"
	"wsss/models/foundation/zoo"
)

func TestEmbeddedManifest(t *testing.T) {
	for _, family := range []string{"sam", "gdino", "clip", "ram", "blip2"} {
		if len(Family(family)) == 0 {
			t.Errorf("no model of family %s", family)
		}
	}
	for _, m := range Models() {
		for _, f := range m.Files {
			if raw, err := fs.ReadFile(zoo.Files, f.Embed); f.Embed != "" && (err != nil || len(raw) > 2<<20) {
				t.Errorf("%s of %s: %d bytes, allowed are 2 MB (%v)", f.Embed, m.Name, len(raw), err)
			}
		}
	}
	if _, err := Find("sam-vit-z"); err == nil || !strings.Contains(err.Error(), "sam-vit-b") {
		t.Errorf("unknown model: %v", err)
	}
}

// What a training starts from is a file, or a backbone by its name.
func TestInitialWeights(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(Env, dir)
	ctx := context.Background()
	for init, want := range map[string]string{"": "", "weights/mine.pth": "weights/mine.pth"} {
		if got, err := InitialWeights(ctx, init); got != want || err != nil {
			t.Errorf("%q: %q, %v", init, got, err)
		}
	}
	for init, want := range map[string]string{"resnet50": "wsss models pull resnet50", "sam-vit-b": "wanted is resnet or "} {
		if _, err := InitialWeights(ctx, init); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", init, err, want)
		}
	}
	path := filepath.Join(dir, "resnet50", "model.safetensors")
	datatest.Write(t, path, "weights")
	if got, err := InitialWeights(ctx, "resnet50"); got != path || err != nil {
		t.Errorf("fetched: %q, %v; want %q", got, err, path)
	}
}

func TestParseFaults(t *testing.T) {
	const head = "[[model]]\nname='m'\nlicence='x'\nrepo='r'\n"
	for text, want := range map[string]string{
		"[[model]]\nname='m'":                                                                                "needs files",
		head + "[[model.file]]\nrole='a'":                                                                    "exactly one",
		head + "[[model.file]]\nrole='a'\npath='p'\nurl='u'":                                                 "exactly one",
		head + "[[model.file]]\nrole='a'\npath='p'\nsha256='12'":                                             "64 digits",
		head + "[[model.file]]\nrole='a'\npath='p/..'":                                                       "file name",
		head + "[[model.file]]\nrole='a'\nbuild='sam-encoder'\nas='x.onnx'\nfrom=['b']":                      "no file to fetch",
		head + "[[model.file]]\nrole='a'\nbuild='sam-encoder'":                                               "go together",
		head + "[[model.file]]\nrole='b'\npath='p'\n[[model.file]]\nrole='a'\nbuild='x'\nas='y'\nfrom=['b']": "is unknown",
		head + "colour='red'":                                                                                "unknown key",
		head + "[[model.file]]\nrole='a'\npath='x/p'\n[[model.file]]\nrole='b'\npath='y/p'":                  "twice",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenFollowsEnvironment(t *testing.T) {
	t.Setenv(Env, "/somewhere")
	if s, err := Open(""); err != nil || s.Dir() != "/somewhere" {
		t.Errorf("%v %v", s, err)
	}
}

func TestMissingFileNamesTheCommand(t *testing.T) {
	s := open(t)
	if _, err := s.File(context.Background(), "sam-vit-b", "encoder"); err == nil || !strings.Contains(err.Error(), "`wsss models pull sam-vit-b`") {
		t.Errorf("%v", err)
	}
	if _, err := s.File(context.Background(), "blip2-itm-graph", "model"); err == nil || !strings.Contains(err.Error(), "itm_logits") {
		t.Errorf("%v", err)
	}
	if _, err := s.File(context.Background(), "sam-vit-b", "wheel"); err == nil || !strings.Contains(err.Error(), `no file "wheel"`) {
		t.Errorf("%v", err)
	}
}

func TestBuiltInFiles(t *testing.T) {
	s := open(t)
	path, err := s.File(context.Background(), "tiny-sam", "decoder")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:9], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.File(context.Background(), "tiny-sam", "decoder"); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(path); string(again) != string(whole) {
		t.Error("a damaged built-in file was not made again")
	}
}

// TestFirstUseIsRecorded: a file the manifest has no hash for is trusted once.
func TestFirstUseIsRecorded(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	m, err := Find("ram-swin-l")
	if err != nil {
		t.Fatal(err)
	}
	path := s.Path(m, m.Files[0])
	put := func(text string, at time.Time) {
		datatest.Write(t, path, text)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Unix(1_700_000_000, 0)
	put("weights", day)
	for range 2 {
		if got, err := s.File(ctx, m.Name, "model"); err != nil || got != path {
			t.Fatalf("%s %v", got, err)
		}
	}
	put("weights", day.Add(time.Hour)) // touched, the same
	if _, err := s.File(ctx, m.Name, "model"); err != nil {
		t.Fatal(err)
	}
	put("Weights", day.Add(2*time.Hour))
	if _, err := s.File(ctx, m.Name, "model"); err == nil || !strings.Contains(err.Error(), "at its first use") {
		t.Errorf("changed: %v", err)
	}
	put("wEights", day.Add(time.Hour)) // changed in silence: only Verify sees it
	list, err := s.Verify(ctx, m)
	if err != nil || list[0].State != Damaged || list[1].State != Absent {
		t.Errorf("%+v %v", list, err)
	}
}

// server is a hub with one repository, whose first answer to a download
// breaks off half way.
type server struct {
	files  map[string]string
	ranges []string
	broken bool
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/models/") {
		var list []string
		for name, text := range s.files {
			sum := sha256.Sum256([]byte(text))
			list = append(list, fmt.Sprintf(`{"rfilename":%q,"size":%d,"lfs":{"sha256":%q,"size":%d}}`, name, len(text), hex.EncodeToString(sum[:]), len(text)))
		}
		fmt.Fprintf(w, `{"id":"r/m","sha":"abc","siblings":[%s]}`, strings.Join(list, ","))
		return
	}
	text, ok := s.files[strings.TrimPrefix(r.URL.Path, "/r/m/resolve/abc/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	if !s.broken {
		s.broken = true
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = io.WriteString(w, text[:len(text)/2])
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

func TestPullResumes(t *testing.T) {
	hub := &server{files: map[string]string{"onnx/e.onnx": strings.Repeat("weights ", 1<<16), "d.onnx": "decoder"}}
	web := httptest.NewServer(hub)
	defer web.Close()
	s := open(t)
	s.endpoint = web.URL
	m := Model{Name: "m", Repo: "r/m", Files: []File{{Role: "encoder", Path: "onnx/e.onnx"}, {Role: "decoder", Path: "d.onnx"}}}
	ctx := context.Background()
	var last int64
	progress := func(_ string, done, _ int64) { last = done }
	if err := s.Pull(ctx, m, progress); err == nil || !strings.Contains(err.Error(), "goes on from there") {
		t.Fatalf("a broken transfer: %v", err)
	}
	if _, err := os.Stat(s.Path(m, m.Files[0])); err == nil {
		t.Fatal("half a file has its name already")
	}
	if err := s.Pull(ctx, m, progress); err != nil {
		t.Fatal(err)
	}
	if len(hub.ranges) != 3 || !strings.HasPrefix(hub.ranges[1], "bytes=") || hub.ranges[1] == "bytes=0-" || last != 7 {
		t.Errorf("ranges %q, last progress %d", hub.ranges, last)
	}
	for _, f := range m.Files {
		if raw, _ := os.ReadFile(s.Path(m, f)); string(raw) != hub.files[f.Path] {
			t.Errorf("%s differs", f.Name())
		}
	}
	if err := s.Pull(ctx, m, nil); err != nil || len(hub.ranges) != 3 {
		t.Errorf("a second pull: %v, %d downloads", err, len(hub.ranges))
	}
}

func TestPullRefusesWrongContents(t *testing.T) {
	hub := &server{files: map[string]string{"e.onnx": "weights"}, broken: true}
	web := httptest.NewServer(hub)
	defer web.Close()
	s := open(t)
	s.endpoint = web.URL
	wrong := Model{Name: "m", Repo: "r/m", Files: []File{{Role: "encoder", Path: "e.onnx", SHA256: strings.Repeat("0", 64)}}}
	if err := s.Pull(context.Background(), wrong, nil); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("wrong hash: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(s.Dir(), "m", "*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	gone := Model{Name: "m", Repo: "r/m", Files: []File{{Role: "encoder", Path: "x.onnx"}}}
	if err := s.Pull(context.Background(), gone, nil); err == nil || !strings.Contains(err.Error(), "no file x.onnx any more") {
		t.Errorf("a file that is gone: %v", err)
	}
	web.Close()
	if err := s.Pull(context.Background(), wrong, nil); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("no network: %v", err)
	}
}

// TestPullFromAddress: files with an address of their own, of unknown size and
// hash, behind a redirect to another host, with what a killed process left.
func TestPullFromAddress(t *testing.T) {
	const text = "0123456789"
	var asked []string
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range"))
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to another host")
		}
		switch r.URL.Path {
		case "/file":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
		case "/gated":
			w.WriteHeader(http.StatusForbidden)
		case "/odd":
			w.Header().Set("Content-Range", "bytes 0-9/10")
			w.WriteHeader(http.StatusPartialContent)
		default:
			http.NotFound(w, r)
		}
	}))
	defer files.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(files.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusFound)
	}))
	defer front.Close()
	for _, c := range []struct {
		name, path, part string
		ranges           []string
		want             string // error; "" = the file
	}{
		{"fresh", "/file", "", []string{""}, ""},
		{"killed half way", "/file", "0123", []string{"bytes=4-"}, ""},
		{"killed before the last step", "/file", text, []string{"bytes=10-"}, ""},
		{"another file now", "/file", text + "more", []string{"bytes=14-"}, "has changed since 14 bytes"},
		{"gone", "/none", "", []string{""}, "404"},
		{"gone since", "/none", "0123", []string{"bytes=4-"}, "404"},
		{"gated", "/gated", "", []string{""}, "HF_TOKEN"},
		{"wrong place", "/odd", "0123", []string{"bytes=4-"}, "asked to go on from byte 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked = nil
			path := filepath.Join(t.TempDir(), "f.onnx")
			if c.part != "" {
				datatest.Write(t, path+partial, c.part)
			}
			from := remote{url: front.URL + c.path, token: "secret"}
			err := fetch(context.Background(), from, path, func(int64, int64) {})
			got, _ := os.ReadFile(path)
			if c.want == "" && (err != nil || string(got) != text) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || got != nil) {
				t.Errorf("%v, file %q", err, got)
			}
			if fmt.Sprint(asked) != fmt.Sprint(c.ranges) {
				t.Errorf("ranges %q, want %q", asked, c.ranges)
			}
		})
	}
}

// TestPullBuilds: pull fetches a checkpoint and builds the graphs that point
// into it; again it does nothing; a checkpoint of something else is named.
func TestPullBuilds(t *testing.T) {
	web := httptest.NewServer(http.FileServer(http.Dir("../official/testdata")))
	defer web.Close()
	s := open(t)
	m := Model{Name: "m", Files: []File{
		{Role: "checkpoint", URL: web.URL + "/sam.pth"},
		{Role: "encoder", Build: "sam-encoder", As: "e.onnx", From: []string{"checkpoint"}},
		{Role: "decoder", Build: "sam-decoder", As: "d.onnx", From: []string{"checkpoint"}},
	}}
	var first os.FileInfo
	for i := range 2 {
		if err := s.Pull(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.Path(m, m.Files[1]))
		if err != nil || info.Size() > 100<<10 {
			t.Fatalf("graph of %d bytes, %v", info.Size(), err)
		}
		if i == 0 {
			first = info
		} else if !info.ModTime().Equal(first.ModTime()) {
			t.Error("built again")
		}
	}
	if list, err := s.Verify(t.Context(), m); err != nil || list[0].State != Good || list[1].State != Good {
		t.Errorf("%+v, %v", list, err)
	}
	m.Name, m.Files[0].URL = "other", web.URL+"/sam_values.pth"
	if err := s.Pull(t.Context(), m, nil); err == nil || !strings.Contains(err.Error(), "sam_values.pth: it has no tensor image_encoder.pos_embed") {
		t.Errorf("another checkpoint: %v", err)
	}
}

// TestPairsAreCheckedOnce: whether files of two exports belong together is found
// out at their first use, and again when one of them is another.
func TestPairsAreCheckedOnce(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	m, err := Find("sam-vit-h-int8")
	if err != nil || !m.Pair {
		t.Fatal(m, err)
	}
	put := func(role, text string) {
		t.Helper()
		f, err := m.file(role)
		if err != nil {
			t.Fatal(err)
		}
		datatest.Write(t, s.Path(m, f), text)
	}
	put("encoder", "e")
	put("decoder", "d")
	for _, role := range []string{"encoder", "decoder"} {
		if _, err := s.File(ctx, m.Name, role); err != nil {
			t.Fatal(err)
		}
	}
	times, says := 0, error(nil)
	use := func() error {
		return s.FirstUse(ctx, m, func(context.Context) error { times++; return says })
	}
	says = errors.New("they do not fit")
	for range 2 { // a failure is not remembered
		if err := use(); err == nil || !strings.Contains(err.Error(), "sam-vit-h-int8: they do not fit") {
			t.Errorf("a pair that does not fit: %v", err)
		}
	}
	says = nil
	for range 2 {
		if err := use(); err != nil {
			t.Error(err)
		}
	}
	if times != 3 {
		t.Errorf("checked %d times, want 3", times)
	}
	if err := os.Remove(filepath.Join(s.Dir(), lockName)); err != nil {
		t.Fatal(err)
	}
	put("decoder", "another")
	if _, err := s.File(ctx, m.Name, "decoder"); err != nil {
		t.Fatal(err)
	}
	if err := use(); err != nil || times != 4 {
		t.Errorf("another decoder: checked %d times, %v", times, err)
	}
	plain, err := Find("mobile-sam")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FirstUse(ctx, plain, func(context.Context) error { t.Error("a model of one export is checked"); return nil }); err != nil {
		t.Error(err)
	}
}
