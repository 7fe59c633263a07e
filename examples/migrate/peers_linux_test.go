package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/containerd/ttrpc"
	"github.com/varlink/go/varlink"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"

	notesv1 "github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1"
	"github.com/udsgrpc/udsgrpc/examples/migrate/gen/notes/v1/notesv1connect"
	"github.com/udsgrpc/udsgrpc/examples/migrate/gen/orgexamplenotes"
)

// patient is how long a server that is told to end waits for its calls.
const patient = 10 * time.Second

var (
	udsgrpcPeer = peer{
		name:   "udsgrpc",
		claims: true,
		serve: func(ctx context.Context, path string, f function) error {
			srv, err := notesv1.NewNotesUDSServer(path, grpcService{f: f})
			if err != nil {
				return err
			}
			fmt.Println("serving")
			return srv.Serve(ctx)
		},
		dial: func(path string) (function, func() error, error) {
			client, conn, err := notesv1.DialNotesUDS(path)
			if err != nil {
				return nil, nil, err
			}
			return grpcFunction(client), conn.Close, nil
		},
	}
	grpcPeer = peer{
		name:   "grpc-go",
		module: "google.golang.org/grpc",
		serve: func(ctx context.Context, path string, f function) error {
			l, err := listen(path)
			if err != nil {
				return err
			}
			srv := grpc.NewServer()
			notesv1.RegisterNotesServer(srv, grpcService{f: f})
			context.AfterFunc(ctx, srv.GracefulStop)
			fmt.Println("serving")
			return srv.Serve(l)
		},
		dial: func(path string) (function, func() error, error) {
			conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				return nil, nil, err
			}
			return grpcFunction(notesv1.NewNotesClient(conn)), conn.Close, nil
		},
	}
	connectPeer = peer{
		name:   "connect",
		module: "connectrpc.com/connect/v2",
		serve: func(ctx context.Context, path string, f function) error {
			l, err := listen(path)
			if err != nil {
				return err
			}
			server := connect.NewServer()
			notesv1connect.RegisterNotesHandler(server, connectService{f: f})
			mux := http.NewServeMux()
			connecthttp.Mount(mux, server)
			srv := &http.Server{Handler: mux, Protocols: h2c()}
			stopped := make(chan error, 1)
			context.AfterFunc(ctx, func() { stopped <- shutDown(srv.Shutdown) })
			fmt.Println("serving")
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return <-stopped
		},
		dial: func(path string) (function, func() error, error) {
			transport := &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "unix", path)
				},
				Protocols: h2c(),
			}
			client := notesv1connect.NewNotesClient(connect.NewClient(
				connecthttp.NewTransport(&http.Client{Transport: transport}, "http://localhost", connecthttp.WithGRPC())))
			return func(ctx context.Context, line string) (string, error) {
				resp, err := client.Add(ctx, &notesv1.AddRequest{Line: line})
				return resp.GetLine(), err
			}, func() error { transport.CloseIdleConnections(); return nil }, nil
		},
	}
	ttrpcPeer = peer{
		name:   "ttrpc",
		module: "github.com/containerd/ttrpc",
		serve: func(ctx context.Context, path string, f function) error {
			l, err := listen(path)
			if err != nil {
				return err
			}
			srv, err := ttrpc.NewServer()
			if err != nil {
				return err
			}
			notesv1.RegisterTTRPCNotesService(srv, ttrpcService{f: f})
			stopped := make(chan error, 1)
			context.AfterFunc(ctx, func() { stopped <- shutDown(srv.Shutdown) })
			fmt.Println("serving")
			if err := srv.Serve(context.WithoutCancel(ctx), l); !errors.Is(err, ttrpc.ErrServerClosed) {
				return err
			}
			return <-stopped
		},
		dial: func(path string) (function, func() error, error) {
			conn, err := net.Dial("unix", path)
			if err != nil {
				return nil, nil, err
			}
			c := ttrpc.NewClient(conn)
			client := notesv1.NewTTRPCNotesClient(c)
			return func(ctx context.Context, line string) (string, error) {
				resp, err := client.Add(ctx, &notesv1.AddRequest{Line: line})
				return resp.GetLine(), err
			}, c.Close, nil
		},
	}
	drpcPeer = peer{
		name:   "drpc",
		module: "storj.io/drpc",
		serve: func(ctx context.Context, path string, f function) error {
			l, err := listen(path)
			if err != nil {
				return err
			}
			mux := drpcmux.New()
			if err := notesv1.DRPCRegisterNotes(mux, drpcService{f: f}); err != nil {
				return err
			}
			fmt.Println("serving")
			return drpcserver.New(mux).Serve(ctx, l)
		},
		dial: func(path string) (function, func() error, error) {
			raw, err := net.Dial("unix", path)
			if err != nil {
				return nil, nil, err
			}
			conn := drpcconn.New(raw)
			client := notesv1.NewDRPCNotesClient(conn)
			return func(ctx context.Context, line string) (string, error) {
				resp, err := client.Add(ctx, &notesv1.AddRequest{Line: line})
				return resp.GetLine(), err
			}, conn.Close, nil
		},
	}
	varlinkPeer = peer{
		name:   "varlink",
		module: "github.com/varlink/go",
		claims: true,
		serve: func(ctx context.Context, path string, f function) error {
			service, err := varlink.NewService("Example", "Notes", "1", "https://example.org/notes")
			if err != nil {
				return err
			}
			if err := service.RegisterInterface(orgexamplenotes.VarlinkNew(&varlinkService{f: f})); err != nil {
				return err
			}
			if err := service.Bind(ctx, "unix:"+path); err != nil {
				return err
			}
			context.AfterFunc(ctx, func() { service.Shutdown() })
			fmt.Println("serving")
			return service.DoListen(context.WithoutCancel(ctx), 0)
		},
		dial: func(path string) (function, func() error, error) {
			conn, err := varlink.NewConnection(context.Background(), "unix:"+path)
			if err != nil {
				return nil, nil, err
			}
			return func(ctx context.Context, line string) (string, error) {
				_, kept, err := orgexamplenotes.Add().Call(ctx, conn, line)
				return kept, err
			}, conn.Close, nil
		},
	}
)

// listen is what programs write who have to claim the path themselves.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

func shutDown(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	return f(ctx)
}

func h2c() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func grpcFunction(client notesv1.NotesClient) function {
	return func(ctx context.Context, line string) (string, error) {
		resp, err := client.Add(ctx, &notesv1.AddRequest{Line: line})
		return resp.GetLine(), err
	}
}

type grpcService struct {
	notesv1.UnimplementedNotesServer
	f function
}

func (s grpcService) Add(ctx context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return answer(s.f(ctx, req.GetLine()))
}

func answer(line string, err error) (*notesv1.AddResponse, error) {
	if err != nil {
		return nil, err
	}
	return &notesv1.AddResponse{Line: line}, nil
}

type connectService struct {
	notesv1connect.UnimplementedNotesHandler
	f function
}

func (s connectService) Add(ctx context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return answer(s.f(ctx, req.GetLine()))
}

type ttrpcService struct {
	notesv1.TTRPCNotesService
	f function
}

func (s ttrpcService) Add(ctx context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return answer(s.f(ctx, req.GetLine()))
}

type drpcService struct {
	notesv1.DRPCNotesUnimplementedServer
	f function
}

func (s drpcService) Add(ctx context.Context, req *notesv1.AddRequest) (*notesv1.AddResponse, error) {
	return answer(s.f(ctx, req.GetLine()))
}

func (s drpcService) List(*notesv1.ListRequest, notesv1.DRPCNotes_ListStream) error { return nil }

type varlinkService struct {
	orgexamplenotes.VarlinkInterface
	f function
}

func (s *varlinkService) Add(ctx context.Context, c orgexamplenotes.VarlinkCall, line string) error {
	got, err := s.f(ctx, line)
	if err != nil {
		return err
	}
	return c.ReplyAdd(ctx, 1, got)
}
