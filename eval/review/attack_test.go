package review

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/corrections"
	"wsss/data/datatest"
)

// ask sends a request to a server that listens at 127.0.0.1:4321.
func ask(s *Server, method, path, body string, change func(r *http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:4321"+path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func attacked(t *testing.T) (*Server, *corrections.Dataset) {
	ds := newData(t, []string{"a", "<script>alert(1)</script>"}, 64, 48, false, "<img src=x>", "b")
	s := New(newOptions(t, ds))
	s.host = "127.0.0.1:4321"
	return s, ds
}

const box = `{"id":"a","version":"","ops":[{"prompt":{"id":"r1","class":1,"box":[10,10,40,40]}}]}`

func TestStrangersAreRefused(t *testing.T) {
	s, ds := attacked(t)
	in := "/" + s.token + "/"
	header := func(k, v string) func(r *http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for _, tt := range []struct {
		name, method, path, body string
		change                   func(r *http.Request)
		want                     int
	}{
		{"the page", "GET", in, "", nil, 200},
		{"the page from a link", "GET", in, "", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			r.Header.Set("Sec-Fetch-Dest", "document")
		}, 200},
		{"no token", "GET", "/", "", nil, 403},
		{"no token, an image", "GET", "/api/image?id=a", "", nil, 403},
		{"a wrong token", "GET", "/" + strings.Repeat("0", 32) + "/api/images", "", nil, 403},
		{"the token's beginning", "GET", "/" + s.token[:31] + "/api/images", "", nil, 403},
		{"an image", "GET", in + "api/image?id=a", "", nil, 200},
		{"a name that resolves here", "GET", in + "api/images", "", func(r *http.Request) { r.Host = "evil.example:4321" }, 403},
		{"another port", "GET", in + "api/images", "", func(r *http.Request) { r.Host = "127.0.0.1:80" }, 403},
		{"localhost", "GET", in + "api/images", "", func(r *http.Request) { r.Host = "localhost:4321" }, 200},
		{"another origin reads", "GET", in + "api/images", "", header("Origin", "http://evil.example"), 403},
		{"another origin writes", "POST", in + "api/edit", box, header("Origin", "https://127.0.0.1:4321"), 403},
		{"a null origin", "POST", in + "api/edit", box, header("Origin", "null"), 403},
		{"another page", "POST", in + "api/edit", box, header("Sec-Fetch-Site", "cross-site"), 403},
		{"another port's page", "GET", in + "api/photo?id=a", "", header("Sec-Fetch-Site", "same-site"), 403},
		{"a form", "POST", in + "api/edit", box, header("Content-Type", "text/plain"), 415},
		{"CORS asks first", "OPTIONS", in + "api/edit", "", header("Origin", "http://evil.example"), 403},
		{"another method", "DELETE", in + "api/edit", "", nil, 405},
		{"the page itself", "POST", in + "api/edit", box, func(r *http.Request) {
			r.Header.Set("Origin", "http://127.0.0.1:4321")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(s, tt.method, tt.path, tt.body, tt.change)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			for k := range w.Header() {
				if strings.HasPrefix(k, "Access-Control") {
					t.Errorf("header %s opens the server to other pages", k)
				}
			}
			if w.Header().Get("Content-Security-Policy") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("the answer lacks its policy")
			}
		})
	}
	if got := listFiles(t, ds.Folder.Dir); got != "a.correction.json" {
		t.Errorf("files %q", got)
	}
}

func TestNothingOutsideIsRead(t *testing.T) {
	s, ds := attacked(t)
	in := "/" + s.token + "/"
	root := filepath.Dir(ds.Folder.Dir)
	secret := filepath.Join(filepath.Dir(root), "secret.jpg")
	datatest.Write(t, secret, "\xff\xd8\xffsecret")
	for _, path := range []string{
		"api/photo?id=../secret", "api/photo?id=..%2f..%2fsecret", "api/photo?id=" + secret, "api/photo?id=a%00", "api/photo?id=",
		"api/photo?id=a/../a", "api/image?id=../../secret", "api/version?id=../a",
		"../secret.jpg", "..%2fsecret.jpg", "%2e%2e/secret.jpg", "review.html/..%2f..%2fsecret", "page/review.js", "guard.go", "review.go", "review.html",
	} {
		w := ask(s, "GET", in+path, "", nil)
		if w.Code == 200 || strings.Contains(w.Body.String(), "secret\n") {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	w := ask(s, "POST", in+"api/edit", `{"id":"../evil","version":"","ops":[{"verdict":"rejected"}]}`, nil)
	if w.Code != http.StatusNotFound {
		t.Errorf("an id that leaves the folder: %d %s", w.Code, w.Body)
	}
	if got := listFiles(t, ds.Folder.Dir); got != "" {
		t.Errorf("files %q", got)
	}
}

func TestBadEditsChangeNothing(t *testing.T) {
	s, ds := attacked(t)
	in := "/" + s.token + "/api/edit"
	edit := func(op string) string { return `{"id":"a","version":"","ops":[` + op + `]}` }
	for _, tt := range []struct {
		name, body string
		want       int
		says       string
	}{
		{"no JSON", "{", 400, "EOF"},
		{"an unknown key", `{"id":"a","path":"/etc"}`, 400, "path"},
		{"an unknown image", strings.Replace(box, `"a"`, `"b"`, 1), 404, "no image"},
		{"no change", edit(`{}`), 400, "names no change"},
		{"a class beyond the table", edit(`{"prompt":{"id":"r","class":3,"box":[1,1,9,9]}}`), 400, "0..2"},
		{"a negative class", edit(`{"prompt":{"id":"r","class":-1,"box":[1,1,9,9]}}`), 400, "class -1"},
		{"a box outside", edit(`{"prompt":{"id":"r","class":1,"box":[1,1,99,9]}}`), 400, "64×48"},
		{"an empty box", edit(`{"prompt":{"id":"r","class":1,"box":[9,1,9,9]}}`), 400, "box"},
		{"a point outside", edit(`{"prompt":{"id":"r","class":1,"points":[[64,0,0]]}}`), 400, "(64,0)"},
		{"an odd stroke", edit(`{"prompt":{"id":"r","class":1,"strokes":[{"line":[1,2,3]}]}}`), 400, "odd"},
		{"a prompt of nothing", edit(`{"prompt":{"id":"r","class":1}}`), 400, "neither"},
		{"a prompt without id", edit(`{"prompt":{"id":"","class":1,"points":[[1,1,0]]}}`), 400, "id"},
		{"pixels outside", edit(`{"paint":{"x":60,"y":0,"w":9,"h":1,"runs":"AQk="}}`), 400, "inside the image"},
		{"a huge rectangle", edit(`{"paint":{"x":0,"y":0,"w":99999999999,"h":1,"runs":""}}`), 400, "paint"},
		{"a broken code", edit(`{"paint":{"x":0,"y":0,"w":9,"h":1,"runs":"gA=="}}`), 400, "run length"},
		{"runs beyond", edit(`{"paint":{"x":0,"y":0,"w":9,"h":1,"runs":"AgA="}}`), 400, "runs"},
		{"no base64", edit(`{"paint":{"x":0,"y":0,"w":9,"h":1,"runs":"?"}}`), 400, "base64"},
		{"a class of pixels", edit(`{"paint":{"x":0,"y":0,"w":9,"h":1,"runs":"BQk="}}`), 400, "label 3"},
		{"a verdict", edit(`{"verdict":"<b>"}`), 400, "verdict"},
		{"a tag beyond the table", edit(`{"tag":{"class":3,"on":true}}`), 400, "1..2"},
		{"background as a tag", edit(`{"tag":{"class":0,"on":true}}`), 400, "1..2"},
		{"taking back the tag of an object", edit(`{"prompt":{"id":"r","class":1,"box":[1,1,9,9]}},{"tag":{"class":1,"on":false}}`), 400, "has objects"},
		{"a good change and a bad one", edit(`{"prompt":{"id":"r","class":1,"box":[1,1,9,9]}},{"verdict":"x"}`), 400, "ops[1]"},
		{"accepting what was not seen", `{"id":"a","version":"other","ops":[{"verdict":"accepted"}]}`, 409, "elsewhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(s, "POST", in, tt.body, nil)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("status %d, want %d with %q: %s", w.Code, tt.want, tt.says, w.Body)
			}
		})
	}
	if got := listFiles(t, ds.Folder.Dir); got != "" {
		t.Errorf("files %q", got)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s, ds := attacked(t)
	var sent int64
	body := io.MultiReader(strings.NewReader(`{"id":"a","version":"`), &endless{&sent})
	r := httptest.NewRequest("POST", "http://127.0.0.1:4321/"+s.token+"/api/edit", body)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || sent > maxBody+1<<20 {
		t.Errorf("status %d after %d bytes", w.Code, sent)
	}
	if got := listFiles(t, ds.Folder.Dir); got != "" {
		t.Errorf("files %q", got)
	}
}

// endless is letters without an end.
type endless struct{ n *int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	*e.n += int64(len(p))
	return len(p), nil
}

// TestNamesAreData: names of images and classes reach the page as JSON alone,
// and the page itself holds none.
func TestNamesAreData(t *testing.T) {
	s, _ := attacked(t)
	w := ask(s, "GET", "/"+s.token+"/", "", nil)
	if strings.Contains(w.Body.String(), "alert(1)") {
		t.Error("the page holds a name")
	}
	w = ask(s, "GET", "/"+s.token+"/api/images", "", nil)
	var list wireList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" || list.Classes[1] != "<img src=x>" || bytes.Contains(w.Body.Bytes(), []byte("<script>")) {
		t.Errorf("%s %q", got, list.Classes)
	}
	w = ask(s, "GET", "/"+s.token+"/api/photo?id=%3Cscript%3Ealert(1)%3C/script%3E", "", nil)
	if w.Code != 200 || w.Header().Get("Content-Type") != "image/jpeg" {
		t.Error("a photo of that name:", w.Code, w.Header().Get("Content-Type"))
	}
}

// TestServersOnOneFolder: many writers lose nothing.
func TestServersOnOneFolder(t *testing.T) {
	ds := newData(t, []string{"a"}, 64, 48, false, "x")
	const writers, each = 3, 8
	errs := make(chan error, writers)
	for k := range writers {
		own := corrections.Wrap(ds.Dataset, &corrections.Folder{Dir: ds.Folder.Dir, Classes: ds.Classes()}, corrections.Options{})
		s := New(newOptions(t, own))
		s.host = "127.0.0.1:4321"
		go func() {
			for i := range each {
				body := fmt.Sprintf(`{"id":"a","version":"","ops":[{"prompt":{"id":"r%d-%d","class":1,"points":[[%d,%d,0]]}}]}`, k, i, 2+i*7, 5+k*9)
				if w := ask(s, "POST", "/"+s.token+"/api/edit", body, nil); w.Code != 200 {
					errs <- fmt.Errorf("%d: %s", w.Code, w.Body)
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if c := read(t, ds, "a"); len(c.Prompts) != writers*each {
		t.Errorf("%d prompts of %d", len(c.Prompts), writers*each)
	}
}
