package load_test

import (
	"context"
	"fmt"
	"net"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/internal/ringtest"
)

// idleClients is how many clients, or connections of a client, are measured: as many as fit where a process may have
// 1,024 descriptors.
const idleClients = 200

// How much memory, heap and stacks, one that is idle may take at most, as a part of what a client of grpc-go's takes
// of a server of grpc-go's, and at its own end.
const (
	maxIdleAtServer     = 0.40 // 0.31 when this was written
	maxIdleAtClient     = 0.2  // 0.11
	maxIdleConnAtClient = 0.1  // 0.04
)

// idle is a program: it makes clients that have made one call each, says how many bytes one takes, and keeps them.
func idle(args []string) error {
	ringtest.Earn()
	path, kind := args[0], args[1]
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	dial := func() (greeterv1.GreeterClient, error) {
		client, _, err := greeterv1.DialGreeterUDS(path)
		return client, err
	}
	if kind == "plain" {
		dial = func() (greeterv1.GreeterClient, error) {
			conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
			return greeterv1.NewGreeterClient(conn), err
		}
	}
	first, err := dial() // what a process needs once comes with it
	if err != nil {
		return err
	}
	clients := []greeterv1.GreeterClient{first}
	if _, err := first.Greet(context.Background(), &greeterv1.GreetRequest{}); err != nil {
		return err
	}
	before := inUse()
	if kind == "connections" {
		if err := callAtOnce(first, n); err != nil {
			return err
		}
	}
	for kind != "connections" && len(clients) <= n {
		client, err := dial()
		if err != nil {
			return err
		}
		if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}); err != nil {
			return err
		}
		clients = append(clients, client)
	}
	fmt.Println((inUse() - before) / float64(n))
	defer goruntime.KeepAlive(clients)
	return testproc.WaitForKill()
}

// callAtOnce makes n calls that run at the same time, each of which needs a connection.
func callAtOnce(client greeterv1.GreeterClient, n int) (err error) {
	var calls sync.WaitGroup
	var mu sync.Mutex
	for range n {
		calls.Go(func() {
			if _, callErr := client.Greet(context.Background(), &greeterv1.GreetRequest{Name: "wait"}); callErr != nil {
				mu.Lock()
				defer mu.Unlock()
				err = callErr
			}
		})
	}
	calls.Wait()
	return err
}

// inUse returns how many bytes of heap and stacks the process uses.
func inUse() float64 {
	goruntime.GC() // which also halves stacks that are used little
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// counted is a program: a greeter that says how much memory its process uses.
func counted(args []string) error {
	ringtest.Earn()
	path, kind := args[0], args[1]
	g := &countedGreeter{all: make(chan struct{})}
	fmt.Println("starts")
	if kind != "plain" {
		srv, err := greeterv1.NewGreeterUDSServer(path, g)
		if err != nil {
			return err
		}
		return srv.Serve(context.Background())
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	srv := grpc.NewServer()
	greeterv1.RegisterGreeterServer(srv, g)
	return srv.Serve(l)
}

type countedGreeter struct {
	greeterv1.UnimplementedGreeterServer
	waiting atomic.Int64
	all     chan struct{} // closed when idleClients wait
}

func (g *countedGreeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	resp := &greeterv1.GreetResponse{}
	switch req.GetName() {
	case "count":
		resp.Greeting = fmt.Sprint(inUse())
	case "wait":
		if g.waiting.Add(1) == idleClients {
			close(g.all)
		}
		<-g.all
	}
	return resp, nil
}

// idleCost starts a server and a process with idle clients, and returns how many bytes one takes at either end.
func idleCost(t *testing.T, kind string) (server, client float64) {
	t.Helper()
	path := fixture.FreePath(t)
	srv := testproc.Start(t, "counted", path, kind)
	counter, conn := greetertest.Dial(t, path)
	defer conn.Close()
	count := func() float64 {
		resp, err := counter.Greet(t.Context(), &greeterv1.GreetRequest{Name: "count"}, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		return number(t, resp.GetGreeting())
	}
	count() // what it needs once
	before := count()
	clients := testproc.Start(t, "idle", path, kind, strconv.Itoa(idleClients))
	client = number(t, clients.Line())
	server = (count() - before) / idleClients
	for _, p := range []*testproc.Process{clients, srv} {
		p.Kill()
		p.WaitExit()
	}
	return server, client
}

func number(t *testing.T, line string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	if err != nil {
		t.Fatalf("the process says %q", line)
	}
	return n
}

func TestMemoryOfIdleClients(t *testing.T) {
	if fixture.RaceDetector {
		t.Skip("the race detector needs memory of its own")
	}
	if strconv.IntSize == 32 {
		t.Skip("grpc-go's part is another one where pointers are smaller")
	}
	t.Parallel()
	atServer, atClient := idleCost(t, "plain")
	for kind, max := range map[string]struct{ server, client float64 }{
		"clients":     {maxIdleAtServer, maxIdleAtClient},
		"connections": {maxIdleAtServer, maxIdleConnAtClient},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			server, client := idleCost(t, kind)
			t.Logf("%.0f bytes at the server and %.0f at the client, %.2f and %.2f of grpc-go's", server, client, server/atServer, client/atClient)
			if server > max.server*atServer || client > max.client*atClient {
				t.Errorf("one takes %.0f bytes at the server and %.0f at the client, with grpc-go %.0f and %.0f; %.2f and %.2f of that are allowed",
					server, client, atServer, atClient, max.server, max.client)
			}
			if server < 500 || client < 500 {
				t.Errorf("one takes %.0f bytes at the server and %.0f at the client: they are not counted", server, client)
			}
		})
	}
}
