package difftest

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/udsgrpc/udsgrpc/runtime"
)

// Transport is a way to carry calls.
type Transport struct {
	Name    string
	carrier string
	connect func(p *Pair, path string, s setup) error
}

// setup is what a case asks of the ends, rather than of the call.
type setup struct {
	maxRecv int // of the server; 0 for grpc's own
	stats   bool
	jitter  bool // see jitterListener; for the reference only
}

// Pair is a server, and a client that is connected to it.
type Pair struct {
	conn    grpc.ClientConnInterface
	runs    sync.Map // id -> *run
	closers []func()
}

// find returns the run that a call with the given metadata belongs to, if that is not over.
func (p *Pair) find(md metadata.MD) *run {
	for _, id := range md[idKey] {
		if r, ok := p.runs.Load(id); ok {
			return r.(*run)
		}
	}
	return nil
}

// open makes a pair, which close ends.
func (t Transport) open(s setup) (*Pair, error) {
	dir, err := os.MkdirTemp("", "diff")
	if err != nil {
		return nil, err
	}
	p := &Pair{closers: []func(){func() { os.RemoveAll(dir) }}}
	if err := t.connect(p, filepath.Join(dir, "s.sock"), s); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// close ends everything, in reverse order.
func (p *Pair) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
}

// Direct is the direct transport.
func Direct() Transport { return ours("direct", "direct", nil, nil) }

// HTTP2 is this project's HTTP/2.
func HTTP2() Transport {
	return ours("http2", "http2", []runtime.ServerOption{runtime.HTTP2Only()}, []runtime.DialOption{runtime.WithHTTP2Only()})
}

func ours(name, carrier string, server []runtime.ServerOption, dial []runtime.DialOption) Transport {
	return Transport{Name: name, carrier: carrier, connect: func(p *Pair, path string, s setup) error {
		server := append(server[:len(server):len(server)], runtime.UnaryInterceptor(recoverUnary), runtime.StreamInterceptor(recoverStream))
		dial := dial[:len(dial):len(dial)]
		if s.maxRecv > 0 {
			server = append(server, runtime.MaxRecvMsgSize(s.maxRecv))
		}
		if s.stats {
			server = append(server, runtime.StatsHandler(statsHandler{p}))
			dial = append(dial, runtime.WithStatsHandler(statsHandler{p}))
		}
		srv, err := runtime.NewServer(path, server...)
		if err != nil {
			return err
		}
		srv.RegisterService(&serviceDesc, p)
		p.serve(func() { _ = srv.Serve(context.Background()) }, func() { srv.Close() })
		conn, err := runtime.Dial(path, dial...)
		if err != nil {
			return err
		}
		p.conn = conn
		p.closers = append(p.closers, func() { conn.Close() })
		return conn.WaitReady(context.Background())
	}}
}

// Plain is grpc-go without options.
func Plain() Transport { return plain("grpc-go", nil, nil) }

// Wide is grpc-go with the windows of the direct transport, for cases that do not end within
// the usual ones, or where it depends on them which of two outcomes comes.
func Wide() Transport {
	return plain("grpc-go with wide windows",
		[]grpc.ServerOption{grpc.InitialWindowSize(wideWindow), grpc.InitialConnWindowSize(wideWindow)},
		[]grpc.DialOption{grpc.WithInitialWindowSize(wideWindow), grpc.WithInitialConnWindowSize(wideWindow)})
}

func plain(name string, server []grpc.ServerOption, dial []grpc.DialOption) Transport {
	return Transport{Name: name, carrier: "http2", connect: func(p *Pair, path string, s setup) error {
		server := append(server[:len(server):len(server)], grpc.UnaryInterceptor(recoverUnary), grpc.StreamInterceptor(recoverStream))
		dial := append(dial[:len(dial):len(dial)], grpc.WithTransportCredentials(insecure.NewCredentials()))
		if s.maxRecv > 0 {
			server = append(server, grpc.MaxRecvMsgSize(s.maxRecv))
		}
		if s.stats {
			server = append(server, grpc.StatsHandler(statsHandler{p}))
			dial = append(dial, grpc.WithStatsHandler(statsHandler{p}))
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			return err
		}
		if s.jitter {
			l = jitterListener{l}
		}
		srv := grpc.NewServer(server...)
		srv.RegisterService(&serviceDesc, p)
		p.serve(func() { _ = srv.Serve(l) }, srv.Stop)
		conn, err := grpc.NewClient("unix:"+path, dial...)
		if err != nil {
			return err
		}
		p.conn = conn
		p.closers = append(p.closers, func() { conn.Close() })
		return ready(conn)
	}}
}

// ready waits until conn is connected, so that no call has to.
func ready(conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), limitless)
	defer cancel()
	conn.Connect()
	for s := conn.GetState(); s.String() != "READY"; s = conn.GetState() {
		if !conn.WaitForStateChange(ctx, s) {
			return errors.New("the reference does not connect")
		}
	}
	return nil
}

// serve runs a server until the pair is closed.
func (p *Pair) serve(serve, stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve()
	}()
	p.closers = append(p.closers, func() {
		stop()
		<-done
	})
}

// carrierOf returns which transport has brought a call to its handler.
func carrierOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(runtime.AuthInfo); ok && info.Direct {
			return "direct"
		}
	}
	return "http2"
}
