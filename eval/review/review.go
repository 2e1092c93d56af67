// Package review lets a person look at labels in the browser and correct them:
// a server on this machine alone, with a page that draws. It belongs to the
// room of evaluation: what people look at first is what labels and networks
// get wrong.
//
// Corrections are written as they are made (package corrections); gen, train
// and eval take them up.
package review

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"wsss/data"
	"wsss/data/corrections"
	"wsss/gen"
)

// Options says what is reviewed, and with what.
type Options struct {
	Dataset *corrections.Dataset
	Queue   []Item        // the images, in the order to look at them
	Weak    data.WeakKind // the form of weak labels that the labels come from
	// LabelsDir is the folder of the label maps that are corrected; "" = the
	// true masks.
	LabelsDir string
	// Ours tells that LabelsDir is of the run's own method, so that labels are
	// made anew from corrected prompts.
	Ours     bool
	Method   gen.Method // makes labels that are not there yet; may be nil
	Prompter gen.Prompter
	Model    string // what the prompter is called
	Fuser    gen.Fuser
	Log      func(string) // may be nil
}

// Item is an image to look at.
type Item struct {
	ID   string  `json:"id"`
	Gain float64 `json:"gain"` // expected, 0..1
	Why  string  `json:"why"`
}

// Server serves the page and takes corrections.
type Server struct {
	Options
	token    string
	host     string
	known    map[string]int // id → place in Queue
	pictures *pictures
	times    *times
}

// New makes a server. Its address holds a random token, without which it
// answers nothing.
func New(o Options) *Server {
	var token [16]byte
	rand.Read(token[:]) // never fails
	s := &Server{Options: o, token: hex.EncodeToString(token[:]), known: make(map[string]int, len(o.Queue)), times: &times{}}
	for i, it := range o.Queue {
		s.known[it.ID] = i
	}
	s.pictures = newPictures(s)
	return s
}

// Listen takes a port of 127.0.0.1, 0 for any that is free.
func (s *Server) Listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		s.host = l.Addr().String()
	}
	return l, err
}

// URL is the page's address.
func (s *Server) URL() string { return "http://" + s.host + "/" + s.token + "/" }

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 1 << 16,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		late, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if srv.Shutdown(late) != nil {
			srv.Close()
		}
	})()
	err := srv.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return ctx.Err()
	}
	return err
}

func (s *Server) log(format string, args ...any) {
	if s.Log != nil {
		s.Log(fmt.Sprintf(format, args...))
	}
}
