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

// settle is how long calls are made before a window. A viewer may be told of more than usual in that time.
const settle = 200 * time.Millisecond

// pair is a server and its client.
type pair struct {
	server, client *child.Process
	path           string
	spec           load.Spec
}

// measure compares windows of calls with and without a viewer.
func measure(ctx context.Context, o options, dir, transport string, callers int, viewer string) (r comparison, err error) {
	p := pair{path: filepath.Join(dir, "s"), spec: load.Spec{Kind: load.Unary, Size: 64, Callers: callers}}
	if p.server, err = child.Start(ctx, "", child.Place{}); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.server.Close(), removeIfThere(p.path)) }()
	if p.client, err = child.Start(ctx, "", child.Place{}); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.client.Close()) }()
	reply, err := p.server.Do(child.Request{Serve: &child.Serve{Peer: peers[transport], Path: p.path, Services: 1}})
	if err != nil {
		return r, err
	}
	if _, err := p.client.Do(child.Request{Dial: &child.Dial{Peer: peers[transport], Addr: reply.Addr, Callers: callers}}); err != nil {
		return r, err
	}
	warm := p.spec
	warm.Duration = time.Second
	if _, err := p.client.Do(child.Request{Warm: &warm}); err != nil {
		return r, err
	}
	var bare, watched []float64
	for len(watched) < o.rounds {
		rate, err := p.window(o.window)
		if err != nil {
			return r, err
		}
		bare = append(bare, rate)
		if rate, err = p.watched(ctx, o, viewer); err != nil {
			return r, err
		}
		watched = append(watched, rate)
	}
	last, err := p.window(o.window)
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

// window returns how many calls a second there are.
func (p pair) window(length time.Duration) (float64, error) {
	spec := p.spec
	spec.Duration = settle
	if _, err := p.client.Do(child.Request{Run: &spec}); err != nil {
		return 0, err
	}
	spec.Duration = length
	reply, err := p.client.Do(child.Request{Run: &spec})
	if err != nil {
		return 0, err
	}
	return float64(reply.Result.Calls) / reply.Result.Elapsed.Seconds(), nil
}

func (p pair) watched(ctx context.Context, o options, who string) (rate float64, err error) {
	v, err := start(ctx, o.tool, p.path, who)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.end()) }()
	return p.window(o.window)
}
