// Package storetest is a small server that speaks enough of S3's protocol for
// tests of object storage, and fails on request.
package storetest

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "wsss/checkpoints/store" // s3://
)

// Server is the server, and what it holds.
type Server struct {
	URL    string
	Bucket string // the one that it has, called otherwise than those of other servers
	// Now is what the server takes for the time: its clock may be wrong.
	Now func() time.Time
	// Late, where it is not nil, is called before a request is looked at, of
	// several at a time: to have them overtake each other.
	Late func()

	mu       sync.Mutex
	fail     func(w http.ResponseWriter, r *http.Request) bool
	objects  map[string]object
	requests map[string]int // by method
}

type object struct {
	raw []byte
	mod time.Time
}

// Serve begins a server that ends with the test.
func Serve(t testing.TB) *Server {
	t.Helper()
	s := &Server{Now: time.Now, objects: map[string]object{}, requests: map[string]int{}}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	s.Bucket = "photos-" + h.URL[strings.LastIndexByte(h.URL, ':')+1:]
	return s
}

// Signed is an address as Address gives it, of which requests are signed by the
// credentials of the environment and so bear the client's time.
func Signed(address string) string { return strings.Replace(address, "&anonymous=true", "", 1) }

// Address is that of a prefix in the server's bucket.
func (s *Server) Address(prefix string) string { return s.AddressOf(s.Bucket, prefix) }

// AddressOf is that of a prefix in a bucket, which may not be there.
func (s *Server) AddressOf(bucket, prefix string) string {
	return fmt.Sprintf("s3://%s/%s?endpoint=%s&use_path_style=true&region=us-east-1&anonymous=true", bucket, prefix, s.URL)
}

// Put puts an object.
func (s *Server) Put(key string, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = object{raw, s.Now()}
}

// Get gives an object, nil where there is none.
func (s *Server) Get(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[key].raw
}

// Keys lists the objects below a prefix, sorted.
func (s *Server) Keys(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys(prefix)
}

func (s *Server) keys(prefix string) []string {
	var list []string
	for key := range s.objects {
		if strings.HasPrefix(key, prefix) {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}

// Requests is how many requests of a method there were.
func (s *Server) Requests(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[method]
}

// Failing has f answer requests itself, where it tells that it did, from the next
// one on; nil ends that. It is called under a lock, one request at a time, and may
// be set while others, of a process that was killed, are still under way.
func (s *Server) Failing(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// Refuse answers as S3 does, with an error.
func Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := payload(r)
	if err != nil {
		Refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	if s.Late != nil {
		s.Late()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[r.Method]++
	if s.fail != nil && s.fail(w, r) {
		return
	}
	w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
	if at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err == nil && s.Now().Sub(at).Abs() > 15*time.Minute {
		Refuse(w, http.StatusForbidden, "RequestTimeTooSkewed")
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket != s.Bucket {
		Refuse(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	o, known := s.objects[key]
	switch {
	case r.Method == http.MethodGet && key == "":
		s.list(w, r)
	case r.Method == http.MethodHead && key == "":
	case r.Method == http.MethodPut && known && r.Header.Get("If-None-Match") == "*":
		Refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		s.objects[key] = object{body, s.Now()}
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case !known:
		Refuse(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("ETag", etag(o.raw))
		w.Header().Set("Last-Modified", o.mod.UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", strconv.Itoa(len(o.raw)))
		if r.Method == http.MethodGet {
			w.Write(o.raw)
		}
	}
}

func etag(raw []byte) string {
	sum := md5.Sum(raw)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// payload is a request's body, out of the chunks in which the client may sign it.
func payload(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING") {
		return io.ReadAll(r.Body)
	}
	var all []byte
	in := bufio.NewReader(r.Body)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			_, err := io.Copy(io.Discard, in)
			return all, err
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return nil, err
		}
		all = append(all, chunk[:n]...)
	}
}

// listing is an answer of ListObjectsV2.
type listing struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	Name     string
	More     bool   `xml:"IsTruncated"`
	Next     string `xml:"NextContinuationToken,omitempty"`
	Contents []content
	Prefixes []prefix `xml:"CommonPrefixes"`
}

type content struct {
	Key, ETag, LastModified string
	Size                    int
}

type prefix struct{ Prefix string }

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	most, _ := strconv.Atoi(q.Get("max-keys"))
	if most <= 0 || most > 1000 {
		most = 1000
	}
	out := listing{Name: s.Bucket}
	last := ""
	for _, key := range s.keys(q.Get("prefix")) {
		at := key
		rest := key[len(q.Get("prefix")):]
		d := q.Get("delimiter")
		dir := false
		if d != "" {
			if i := strings.Index(rest, d); i >= 0 {
				at, dir = q.Get("prefix")+rest[:i+1], true
			}
		}
		if at <= q.Get("continuation-token") || at == last {
			continue
		}
		if len(out.Contents)+len(out.Prefixes) == most {
			out.More, out.Next = true, last
			break
		}
		last = at
		if dir {
			out.Prefixes = append(out.Prefixes, prefix{at})
		} else {
			o := s.objects[key]
			out.Contents = append(out.Contents, content{key, etag(o.raw), o.mod.UTC().Format("2006-01-02T15:04:05.000Z"), len(o.raw)})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	io.WriteString(w, xml.Header)
	xml.NewEncoder(w).Encode(out)
}
