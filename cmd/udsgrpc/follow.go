package main

import (
	"context"
	"errors"
	"time"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// follower looks at a server, and at those that come after it.
type follower struct {
	path   string
	once   bool // only at the first
	viewer *viewer.Viewer
}

// looker is what follower looks with.
type looker interface {
	// look shows what there is until the server ends. It returns blind for an error of the viewer.
	look(context.Context, *viewer.Viewer) error
	// gone is called when the server has ended and the next is waited for.
	gone(socket.Diagnosis) error
}

// errShown ends a verb when everything is shown.
var errShown = errors.New("shown")

// blind is the error of a server that shows nothing.
type blind struct{ error }

func (b blind) Unwrap() error { return b.error }

func (f *follower) connect(ctx context.Context) (err error) {
	if f.viewer, err = viewer.Connect(ctx, f.path); err != nil {
		return blind{err}
	}
	return nil
}

// follow looks until ctx ends, or there is no more to see.
func (f *follower) follow(ctx context.Context, l looker) error {
	for {
		err := l.look(ctx, f.viewer)
		f.viewer.Close()
		if f.once || !errors.Is(err, viewer.ErrGone) {
			return err
		}
		if err := f.connectAgain(ctx, l); err != nil {
			return err
		}
	}
}

// againPause is how long to wait for a server that is there and does not let anybody look, as one that drains.
const againPause = 50 * time.Millisecond

// connectAgain waits for the next server.
func (f *follower) connectAgain(ctx context.Context, l looker) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for told := false; ; told = true {
		err := f.connect(ctx)
		if err == nil || isAnswer(err) {
			return err
		}
		if !told {
			if err := l.gone(socket.Diagnose(ctx, f.path)); err != nil {
				return err
			}
		}
		pause.Reset(againPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		await(ctx, f.path)
	}
}

// isAnswer reports whether it is known that the server shows nothing.
func isAnswer(err error) bool {
	var denied *inspectwire.DeniedError
	return errors.Is(err, inspectwire.ErrNone) || errors.As(err, &denied) && denied.Answer != inspectwire.Draining
}

// followed returns the error of a verb that has followed a path.
func followed(ctx context.Context, out *output, path string, err error) error {
	switch {
	case errors.As(err, new(blind)):
		return out.nothingToSee(ctx, path, err)
	case errors.Is(err, errShown), ctx.Err() != nil:
		return nil
	default:
		return err
	}
}
