package manifest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Without a network pull says so in one line that names the folder to fill;
// files that a user makes come with the command.
func TestPullOffline(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // nobody listens there any more
	s := &Store{dir: t.TempDir(), endpoint: server.URL}
	for name, m := range map[string]Model{
		"repository": {Name: "m", Repo: "a/b", Files: []File{{Role: "model", Path: "x.onnx"}}},
		"url":        {Name: "m", Source: "https://example.org/m", Files: []File{{Role: "model", URL: server.URL + "/x.onnx"}}},
	} {
		err := s.Pull(t.Context(), m, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "no network: ") || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), s.dir) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	m := Model{Name: "m", Source: "https://example.org/m", Make: "make it so", Files: []File{{Role: "model", Local: "x.onnx"}}}
	if err := s.Pull(t.Context(), m, nil); err == nil || !strings.Contains(err.Error(), "make it so") {
		t.Errorf("error %v, want the command that makes the file", err)
	}
}
