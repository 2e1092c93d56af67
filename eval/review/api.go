package review

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/photo"
)

// wireList is what the page loads first.
type wireList struct {
	Classes []string `json:"classes"`
	Colours []string `json:"colours"`
	Model   string   `json:"model"`
	Book    string   `json:"book"` // tells the page which corrections its memory is of
	Images  []listed `json:"images"`
}

type listed struct {
	Item
	State string `json:"state"` // "", corrected, accepted, rejected
}

func (s *Server) images(r *http.Request) (*wireList, error) {
	list := &wireList{Classes: s.Dataset.Classes().Names, Model: s.Model, Book: s.Dataset.Folder.Dir, Images: make([]listed, len(s.Queue))}
	palette := data.VOCPalette()
	for i := range list.Classes {
		c, g, b, _ := palette[i].RGBA()
		list.Colours = append(list.Colours, fmt.Sprintf("#%02x%02x%02x", c>>8, g>>8, b>>8))
	}
	err := data.Parallel(r.Context(), len(s.Queue), nil, func(i int) error {
		list.Images[i].Item = s.Queue[i]
		c, _, err := s.Dataset.Folder.Read(s.Queue[i].ID)
		if err != nil || c == nil {
			list.Images[i].State = ""
			return nil // opening the image tells what is wrong
		}
		if list.Images[i].State = string(c.Verdict); c.Verdict == corrections.Open {
			list.Images[i].State = "corrected"
		}
		return nil
	})
	return list, err
}

// id is the image that a request names, one of the queue.
func (s *Server) id(name string) (string, error) {
	if _, ok := s.known[name]; !ok {
		return "", refuse(http.StatusNotFound, fmt.Errorf("no image %.100q", name))
	}
	return name, nil
}

func (s *Server) image(r *http.Request) (*wireImage, error) {
	id, err := s.id(r.URL.Query().Get("id"))
	if err != nil {
		return nil, err
	}
	c, version, err := s.Dataset.Folder.Read(id)
	if err != nil {
		return nil, err
	}
	p, err := s.pictures.get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = &corrections.Correction{W: p.size.X, H: p.size.Y}
	}
	if c.W != p.size.X || c.H != p.size.Y {
		return nil, fmt.Errorf("%s: corrected on a photo of %d×%d pixels, which has now %d×%d: delete its file in %s and review it again", id, c.W, c.H, p.size.X, p.size.Y, s.Dataset.Folder.Dir)
	}
	base, note, err := p.label(r.Context(), c)
	if err != nil {
		return nil, err
	}
	out := &wireImage{ID: id, W: c.W, H: c.H, Version: version, Verdict: c.Verdict, Own: c.Prompted, Prompts: toWires(p.prompts(c)),
		Tagged: c.Tagged, Tags: p.shown(c), Before: wireOwn{toWires(p.weak), p.tags},
		Painted: base64.StdEncoding.EncodeToString(corrections.Runs(c.Layer().Pix)), Base: mapOf(base), Note: note}
	s.pictures.ahead(s.known[id])
	return out, nil
}

// version lets a page notice that an image was corrected elsewhere.
func (s *Server) version(r *http.Request) (map[string]string, error) {
	id, err := s.id(r.URL.Query().Get("id"))
	if err != nil {
		return nil, err
	}
	v, err := s.Dataset.Folder.Version(id)
	return map[string]string{"version": v}, err
}

// photo sends a photo as browsers show it: JPEG as it is, which they turn
// upright too, everything else as a JPEG.
func (s *Server) photo(w http.ResponseWriter, r *http.Request) {
	id, err := s.id(r.URL.Query().Get("id"))
	if err != nil {
		http.Error(w, "no such image", http.StatusNotFound)
		return
	}
	path := s.Dataset.ImagePath(id)
	w.Header().Set("Content-Type", "image/jpeg")
	f, _, err := files.OpenLimited(path, photo.MaxFile)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	var head [3]byte
	if _, err := io.ReadFull(f, head[:]); err == nil && bytes.Equal(head[:], []byte{0xff, 0xd8, 0xff}) {
		http.ServeContent(w, r, "", time.Time{}, f)
		return
	}
	img, err := data.ReadImage(path)
	if err != nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	const quality = 95
	_ = jpeg.Encode(w, img, &jpeg.Options{Quality: quality}) // the page has gone
}

// edit changes an image's correction.
func (s *Server) edit(r *http.Request) (*wireEdited, error) {
	start := time.Now()
	s.pictures.busy()
	defer s.pictures.busy()
	var e wireEdit
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		return nil, refuse(http.StatusBadRequest, err)
	}
	id, err := s.id(e.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.pictures.get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	before, err := s.Dataset.Folder.Version(id)
	if err != nil {
		return nil, err
	}
	work := editing{Server: s, picture: p, ctx: r.Context()}
	var base *string
	if slices.ContainsFunc(e.Ops, func(o op) bool { return o.Verdict != nil && *o.Verdict == corrections.Accepted }) {
		base = &e.Version // what is accepted is what was seen
	}
	ready := p.foresee(r.Context(), e.Ops)
	c, version, err := s.Dataset.Folder.Update(r.Context(), id, p.size.X, p.size.Y, base, func(c *corrections.Correction) error { return work.apply(c, e.Ops) })
	if err != nil {
		return nil, err
	}
	out := &wireEdited{Version: version, Verdict: c.Verdict, Own: c.Prompted, Tagged: c.Tagged, Tags: p.shown(c), Stale: before != e.Version}
	if work.relabel {
		<-ready
		label, note, err := p.label(r.Context(), c)
		if err != nil {
			return nil, err
		}
		out.Base, out.Note = mapOf(label), note
		out.Millis = float64(time.Since(start).Microseconds()) / 1000
		s.times.add(out.Millis)
	}
	return out, nil
}

// openLabel reads the label map that is corrected, nil where there is none.
func (s *Server) openLabel(id string) (*data.LabelMap, error) {
	path, err := files.Join(s.LabelsDir, filepath.FromSlash(id)+".png")
	if err != nil {
		return nil, err
	}
	m, err := data.ReadLabelMap(path)
	if err == nil {
		err = m.CheckRange(s.Dataset.Classes().Len())
	}
	return m, err
}

// Summary is what was judged and corrected, "12 accepted, 1 rejected".
func (s *Server) Summary() string {
	count := map[string]int{}
	for _, it := range s.Queue {
		if c, _, err := s.Dataset.Folder.Read(it.ID); err == nil && c != nil {
			state := string(c.Verdict)
			if c.Verdict == corrections.Open {
				state = "corrected"
			}
			count[state]++
		}
	}
	var parts []string
	for _, state := range []string{"accepted", "rejected", "corrected"} {
		if n := count[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}
