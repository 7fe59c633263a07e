package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
	"github.com/udsgrpc/udsgrpc/bench/internal/usage"
)

// Main does what requests ask for until there are no more. Calls are made with ctx, and so with
// its deadline if it has one.
func Main(ctx context.Context, requests io.Reader, replies io.Writer) error {
	in, out := json.NewDecoder(requests), json.NewEncoder(replies)
	c := &child{}
	for {
		var req Request
		if err := in.Decode(&req); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil // the parent is done, or dead
			}
			return errors.Join(err, c.close())
		}
		reply, err := c.do(ctx, req)
		if err != nil {
			reply.Error = err.Error()
		}
		if err := out.Encode(reply); err != nil {
			return errors.Join(err, c.close())
		}
	}
}

type child struct {
	server *peer.Server
	target load.Target
	idle   []peer.Client
	busy   compute
}

func (c *child) do(ctx context.Context, req Request) (Reply, error) {
	switch {
	case req.Hello != nil:
		return Reply{Hello: Greeting{Protocol, load.Kinds()}}, nil
	case req.Serve != nil:
		return c.serve(*req.Serve)
	case req.Dial != nil:
		return Reply{}, c.dial(ctx, *req.Dial)
	case req.Idle != nil:
		return Reply{}, c.addIdle(ctx, req.Idle.Clients)
	case req.Warm != nil:
		return Reply{}, c.warm(ctx, *req.Warm)
	case req.Run != nil:
		return c.run(ctx, *req.Run)
	case req.Usage != nil:
		u, err := usage.Now(req.Usage.Settle)
		return Reply{Usage: u}, err
	case req.Compute != nil:
		c.busy.start(req.Compute.Threads)
		return Reply{}, nil
	}
	return Reply{}, errors.New("the request asks for nothing")
}

func (c *child) serve(s Serve) (Reply, error) {
	p, ok := peer.Find(s.Peer)
	if !ok {
		return Reply{}, fmt.Errorf("serve: no peer is called %q", s.Peer)
	}
	var err error
	if c.server, err = listen(p, s); err != nil {
		return Reply{}, fmt.Errorf("serve: %w", err)
	}
	return Reply{Addr: c.server.Addr}, nil
}

func listen(p peer.Peer, s Serve) (*peer.Server, error) {
	if !s.Files {
		return p.Listen(s.Path, s.Services)
	}
	files, ok := p.(peer.FilePeer)
	if !ok {
		return nil, fmt.Errorf("the calls of %s carry no open files", s.Peer)
	}
	return files.ListenFiles(s.Path)
}

func (c *child) dial(ctx context.Context, d Dial) error {
	p, ok := peer.Find(d.Peer)
	if !ok {
		return fmt.Errorf("dial: no peer is called %q", d.Peer)
	}
	c.target.Dial = func(ctx context.Context, callers int) (peer.Client, error) { return p.Dial(ctx, d.Addr, callers) }
	var err error
	if c.target.Client, err = p.Dial(ctx, d.Addr, d.Callers); err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	return nil
}

func (c *child) addIdle(ctx context.Context, clients int) error {
	data := peer.Payload(64)
	for len(c.idle) < clients {
		client, err := c.target.Dial(ctx, 1)
		if err != nil {
			return fmt.Errorf("connect idle client %d: %w", len(c.idle)+1, err)
		}
		c.idle = append(c.idle, client)
		if _, err := client.Unary(ctx, data); err != nil {
			return fmt.Errorf("call of idle client %d: %w", len(c.idle), err)
		}
	}
	return nil
}

func (c *child) warm(ctx context.Context, spec load.Spec) error {
	if err := load.Verify(ctx, c.target.Client, spec); err != nil {
		return err
	}
	if _, err := load.Run(ctx, c.target, spec); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return nil
}

func (c *child) run(ctx context.Context, spec load.Spec) (Reply, error) {
	before, err := usage.Now(false)
	if err != nil {
		return Reply{}, err
	}
	result, err := load.Run(ctx, c.target, spec)
	if err != nil {
		return Reply{}, err
	}
	after, err := usage.Now(false)
	return Reply{Result: result, Cost: after.Since(before)}, err
}

func (c *child) close() error {
	c.busy.stop()
	var errs []error
	for _, client := range c.idle {
		errs = append(errs, client.Close())
	}
	if c.target.Client != nil {
		errs = append(errs, c.target.Client.Close())
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
	}
	return errors.Join(errs...)
}
