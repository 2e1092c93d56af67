package review

import (
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"

	"wsss/data/corrections"
	"wsss/data/crash"
)

//go:embed page
var pageFiles embed.FS

// maxBody bounds what a page may send at once: the pixels of a photo of 24
// megapixels, run-length coded, take a tenth of it.
const maxBody = 32 << 20

// policy lets the page load nothing but itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler answers below /TOKEN/. Every request must name this machine as its
// host (a foreign name that resolves to it does not), hold the token, and come
// from the page itself where the browser says where it comes from.
func (s *Server) Handler() http.Handler {
	page, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // a constant name
	}
	mux := http.NewServeMux()
	static := http.FileServerFS(page)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, page, "review.html") })
	mux.HandleFunc("GET /{file}", func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains([]string{".js", ".css", ".svg"}, path.Ext(r.PathValue("file"))) {
			http.NotFound(w, r)
			return
		}
		static.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /api/images", answer(s.images))
	mux.HandleFunc("GET /api/image", answer(s.image))
	mux.HandleFunc("GET /api/version", answer(s.version))
	mux.HandleFunc("GET /api/photo", s.photo)
	mux.HandleFunc("POST /api/edit", answer(s.edit))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.guard(w, r, mux) })
}

func (s *Server) guard(w http.ResponseWriter, r *http.Request, next http.Handler) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	token, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case !s.isHere(r.Host):
		http.Error(w, "this server answers to 127.0.0.1 alone", http.StatusForbidden)
	case subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1:
		http.Error(w, "the address lacks its token: open the one that wsss review prints", http.StatusForbidden)
	case !sameOrigin(r):
		http.Error(w, "requests of other pages are not answered", http.StatusForbidden)
	case r.Method == http.MethodPost && !isJSON(r):
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
	default:
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		r.URL.Path, r.URL.RawPath = "/"+rest, ""
		next.ServeHTTP(w, r)
	}
}

// isHere tells whether a Host header names this server.
func (s *Server) isHere(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	_, own, _ := net.SplitHostPort(s.host)
	return port == own && (name == "127.0.0.1" || name == "localhost")
}

// sameOrigin believes the browser: other pages cannot set these headers.
func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin":
		return true
	case "none": // typed into the address bar
		return r.Method == http.MethodGet
	}
	// A link from elsewhere may open the page, but nothing of its data.
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" && strings.HasSuffix(r.URL.Path, "/")
}

func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// refusal is an error that the page shows, with its HTTP status.
type refusal struct {
	status int
	error
}

func refuse(status int, err error) error { return refusal{status, err} }

// answer makes a handler of a function whose result is sent as JSON.
func answer[T any](do func(r *http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		err := crash.Do(func() (err error) { v, err = do(r); return err })
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			status := http.StatusInternalServerError
			var re refusal
			var large *http.MaxBytesError
			switch {
			case errors.As(err, &large):
				status = http.StatusRequestEntityTooLarge
			case errors.As(err, &re):
				status = re.status
			case errors.Is(err, corrections.ErrChanged):
				status = http.StatusConflict
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
			return
		}
		_ = json.NewEncoder(w).Encode(v) // the page has gone
	}
}
