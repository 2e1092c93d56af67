package review

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"wsss/data/corrections"
	"wsss/data/crash"
	"wsss/gen"
)

const (
	inMemory  = 8 // pictures in memory
	lookAhead = 2 // pictures made ready before they are asked for
	// quiet is how long nobody must have asked for a label before work ahead
	// takes the processors, and patience how long that work waits at most.
	quiet    = 400 * time.Millisecond
	patience = 10 * time.Second
)

// pictures holds the pictures used last.
type pictures struct {
	server *Server
	mu     sync.Mutex
	list   []*entry // the one used last comes last
	work   chan struct{}
	warm   sync.Once
	asked  atomic.Int64 // when a label was asked for or answered, nanoseconds
}

type entry struct {
	id   string
	once sync.Once
	p    *picture
	err  error
}

func newPictures(s *Server) *pictures { return &pictures{server: s, work: make(chan struct{}, 1)} }

// get opens a picture, or finds it open.
func (ps *pictures) get(ctx context.Context, id string) (*picture, error) {
	ps.mu.Lock()
	i := slices.IndexFunc(ps.list, func(e *entry) bool { return e.id == id })
	var e *entry
	if i >= 0 {
		e = ps.list[i]
		ps.list = append(slices.Delete(ps.list, i, i+1), e)
	} else {
		e = &entry{id: id}
		ps.list = append(ps.list, e)
		ps.list = ps.list[max(0, len(ps.list)-inMemory):]
	}
	ps.mu.Unlock()
	e.once.Do(func() {
		e.err = crash.Do(func() (err error) {
			e.p, err = ps.server.open(context.WithoutCancel(ctx), id)
			return err
		})
	})
	if e.err != nil {
		ps.drop(e)
	}
	return e.p, e.err
}

// drop forgets a picture that could not be opened: its photo may be mended.
func (ps *pictures) drop(e *entry) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.list = slices.DeleteFunc(ps.list, func(o *entry) bool { return o == e })
}

// ahead makes the pictures from place on ready, one at a time, unless that is
// being done. Somebody who clicks in the meantime is answered first.
func (ps *pictures) ahead(place int) {
	select {
	case ps.work <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-ps.work }()
		for i := place; i <= place+lookAhead && i < len(ps.server.Queue); i++ {
			_ = crash.Do(func() error { return ps.ready(context.Background(), i, i == place) }) // opening it tells
		}
	}()
}

// ready opens a picture of the queue, and answers its own prompts unless it is shown
// already.
func (ps *pictures) ready(ctx context.Context, i int, shown bool) error {
	ps.rest()
	p, err := ps.get(ctx, ps.server.Queue[i].ID)
	if err != nil {
		return err
	}
	on, err := p.look(ctx)
	if err != nil {
		return err
	}
	if shown {
		ps.warm.Do(func() { p.rehearse(ctx, on) })
		return nil
	}
	for _, q := range p.weak {
		ps.rest()
		if _, err := p.mask(ctx, &q); err != nil {
			return err
		}
	}
	return nil
}

// busy notes that somebody waits for a label, or has just got one.
func (ps *pictures) busy() { ps.asked.Store(time.Now().UnixNano()) }

// rest waits until nobody waits for labels.
func (ps *pictures) rest() {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		left := quiet - time.Since(time.Unix(0, ps.asked.Load()))
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// rehearse answers a prompt of each form that first changes have: what a model
// compiles or allocates once is there when somebody clicks.
func (p *picture) rehearse(ctx context.Context, on gen.Looked) {
	size := p.sample.Image.Rect.Size()
	box := &corrections.Box{X0: float32(size.X) / 4, Y0: float32(size.Y) / 4, X1: float32(size.X) * 3 / 4, Y1: float32(size.Y) * 3 / 4}
	if box.X1 <= box.X0 || box.Y1 <= box.Y0 {
		return
	}
	at := corrections.Point{X: size.X / 2, Y: size.Y / 2}
	out := corrections.Point{Out: true}
	for _, q := range []corrections.Prompt{
		{Class: 1, Box: box},
		{Class: 1, Box: box, Points: []corrections.Point{at}},
		{Class: 1, Points: []corrections.Point{at}},
		{Class: 1, Points: []corrections.Point{at, out}},
		{Class: 1, Box: box, Points: []corrections.Point{at, out}},
	} {
		p.pictures.rest()
		if _, err := gen.Draft(ctx, on, &q); err != nil {
			return // whoever asks is told
		}
	}
}
