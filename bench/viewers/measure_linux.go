package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
	"github.com/udsgrpc/udsgrpc/bench/internal/load"
)

// peers are the names of the peers of the benchmark by what carries their calls.
var peers = map[string]string{"direct": "udsgrpc", "http2": "udsgrpc-http2"}

// uninspected are those of the same with inspection turned off.
var uninspected = map[string]string{"direct": "uninspected", "http2": "uninspected-http2"}

// settle is how long calls are made before a window. A viewer may be told of more than usual in that time.
const settle = 200 * time.Millisecond

// pair is a server and its client.
type pair struct {
	server, client *child.Process
	path           string
	spec           load.Spec
}

// startPair starts a server and its client, and lets them make calls for a while. What it has started is in the pair
// also if there is an error.
func startPair(ctx context.Context, path, peer string, callers int) (p pair, err error) {
	p = pair{path: path, spec: load.Spec{Kind: load.Unary, Size: 64, Callers: callers}}
	if p.server, err = child.Start(ctx, "", child.Place{}); err != nil {
		return p, err
	}
	if p.client, err = child.Start(ctx, "", child.Place{}); err != nil {
		return p, err
	}
	reply, err := p.server.Do(child.Request{Serve: &child.Serve{Peer: peer, Path: p.path, Services: 1}})
	if err != nil {
		return p, err
	}
	if _, err := p.client.Do(child.Request{Dial: &child.Dial{Peer: peer, Addr: reply.Addr, Callers: callers}}); err != nil {
		return p, err
	}
	warm := p.spec
	warm.Duration = time.Second
	_, err = p.client.Do(child.Request{Warm: &warm})
	return p, err
}

// close ends the client first, as its server waits for it.
func (p pair) close() (err error) {
	for _, c := range []*child.Process{p.client, p.server} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return errors.Join(err, removeIfThere(p.path))
}

// measure compares windows of calls with and without a viewer.
func measure(ctx context.Context, o options, dir, transport string, callers int, who string) (r comparison, err error) {
	p, err := startPair(ctx, filepath.Join(dir, "s"), peers[transport], callers)
	defer func() { err = errors.Join(err, p.close()) }()
	if err != nil {
		return r, err
	}
	other := p
	if who == turnedOff {
		other, err = startPair(ctx, filepath.Join(dir, "off"), uninspected[transport], callers)
		defer func() { err = errors.Join(err, other.close()) }()
		if err != nil {
			return r, err
		}
		who = "nobody"
	}
	var bare, watched []window
	for len(watched) < o.rounds {
		w, err := p.window(o.window, viewer{})
		if err != nil {
			return r, err
		}
		bare = append(bare, w)
		if w, err = other.watched(ctx, o, who); err != nil {
			return r, err
		}
		watched = append(watched, w)
	}
	last, err := p.window(o.window, viewer{})
	if err != nil {
		return r, err
	}
	return compare(append(bare, last), watched), nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// window makes calls for a while.
func (p pair) window(length time.Duration, v viewer) (w window, err error) {
	spec := p.spec
	spec.Duration = settle
	if _, err := p.client.Do(child.Request{Run: &spec}); err != nil {
		return w, err
	}
	before, err := p.server.Do(child.Request{Usage: &child.Usage{}})
	if err != nil {
		return w, err
	}
	viewerBefore, err := v.cpu()
	if err != nil {
		return w, err
	}
	spec.Duration = length
	reply, err := p.client.Do(child.Request{Run: &spec})
	if err != nil {
		return w, err
	}
	viewerAfter, err := v.cpu()
	if err != nil {
		return w, err
	}
	after, err := p.server.Do(child.Request{Usage: &child.Usage{}})
	if err != nil {
		return w, err
	}
	return window{
		calls: reply.Result.Calls, length: reply.Result.Elapsed,
		cpu: reply.Cost.Plus(after.Usage.Since(before.Usage)).CPU, viewer: viewerAfter - viewerBefore,
	}, nil
}

func (p pair) watched(ctx context.Context, o options, who string) (w window, err error) {
	v, err := start(ctx, o.tool, p.path, who)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, v.end()) }()
	return p.window(o.window, v)
}
