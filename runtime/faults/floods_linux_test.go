package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

// The users of these tests: one that the server's policy lets in, and one that it does not.
const (
	guest    = 1001
	stranger = 1002
)

// serveGuests is a program: a server of few descriptors to which everybody may connect, and which only
// the guest may call.
func serveGuests(args []string) error {
	limit := syscall.Rlimit{Cur: 1024, Max: 1024}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	return greetertest.ServeUntilTerminated(args[0], runtime.SocketMode(0o666), runtime.Authorize(runtime.AllowUID(guest)))
}

// The ways in which a stranger presses on a server. Each says what is sent on every connection; what
// comes back is read until the server hangs up, and then another takes its place.
var floods = map[string]string{
	"silent":      "",
	"half":        "PRI * HTTP/2.0\r\n\r",
	"idle http2":  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	"idle direct": "UDSGRPC-DIRECT\r\n\r\n\x01\x01\x00\x00\x00\x00I\x00\x00\x00\x01\x00",
	"storm":       "",
}

const (
	floodConns   = 3000
	stormThreads = 4
)

// flood is a program: it presses on the path in one way, until it is killed.
func flood(args []string) error {
	path, kind := args[0], args[1]
	var made atomic.Int64
	if kind == "storm" {
		for range stormThreads {
			go func() {
				for {
					if fd, err := rawConnect(path); err == nil {
						made.Add(1)
						unix.Close(fd)
					}
				}
			}()
		}
	} else {
		for range floodConns {
			go func() {
				for {
					if conn, err := net.Dial("unix", path); err == nil {
						made.Add(1)
						io.WriteString(conn, floods[kind])
						io.Copy(io.Discard, conn)
						conn.Close()
					} else {
						<-time.After(time.Millisecond) // the queue is full
					}
				}
			}()
		}
	}
	for made.Load() < floodConns/10 {
		<-time.After(time.Millisecond)
	}
	fmt.Println("flooding")
	return testproc.WaitForKill()
}

// rawConnect connects as programs in C do: it waits while the queue is full.
func rawConnect(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// visit is what a visitor has seen.
type visit struct {
	Calls, Failed       int           // of a client that stays
	Firsts, FirstFailed int           // first calls of new clients
	P50, P99            time.Duration // of calls of the client that stays
	First50, First99    time.Duration // of first calls of new clients
	Error               string
}

// visitFor is a program: it makes calls for a time, with one client that stays and with new ones, and
// prints what it has seen.
func visitFor(args []string) error {
	path := args[0]
	var opts []runtime.DialOption
	if args[1] == "http2" {
		opts = append(opts, runtime.WithHTTP2Only())
	}
	span, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	var v visit
	call := func(client greeterv1.GreeterClient) (time.Duration, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"})
		return time.Since(start), err
	}
	end := time.Now().Add(span)
	var both sync.WaitGroup
	var calls, firsts []time.Duration
	both.Go(func() {
		client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
		if err != nil {
			v.Failed, v.Error = 1, err.Error()
			return
		}
		defer conn.Close()
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for ; time.Now().Before(end); <-tick.C {
			d, err := call(client)
			if err != nil {
				v.Failed++
				v.Error = err.Error()
			}
			calls = append(calls, d)
		}
	})
	var firstErr string
	both.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ; time.Now().Before(end); <-tick.C {
			client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
			if err == nil {
				var d time.Duration
				d, err = call(client)
				firsts = append(firsts, d)
				conn.Close()
			}
			if err != nil {
				v.FirstFailed++
				firstErr = err.Error()
			}
		}
	})
	both.Wait()
	if v.Error == "" {
		v.Error = firstErr
	}
	v.Calls, v.Firsts = len(calls), len(firsts)
	v.P50, v.P99 = quantile(calls, 0.5), quantile(calls, 0.99)
	v.First50, v.First99 = quantile(firsts, 0.5), quantile(firsts, 0.99)
	return json.NewEncoder(os.Stdout).Encode(v)
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[int(q*float64(len(d)-1))]
}

// floodSpan is how long a flood lasts: UDSGRPC_FLOOD, as in 8s, or a short time.
func floodSpan(t *testing.T) time.Duration {
	text, ok := os.LookupEnv("UDSGRPC_FLOOD")
	if !ok {
		return time.Second
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("UDSGRPC_FLOOD: %v", err)
	}
	return span
}

// A stranger that may connect but not call keeps nobody else out, whatever it does with connections.
func TestFloodsOfAStrangerKeepNobodyOut(t *testing.T) {
	greetertest.NeedRoot(t)
	if testing.Short() {
		t.Skip("takes seconds")
	}
	span := floodSpan(t)
	for kind := range floods {
		for _, transport := range []string{"http2", "direct"} {
			t.Run(kind+" against "+transport, func(t *testing.T) {
				path := greetertest.PublicPath(t)
				server := testproc.Start(t, "serve guests", path)
				if line := server.Line(); line != "serving" {
					t.Fatal(line)
				}
				press := greetertest.StartAs(t, greetertest.User{UID: stranger, GID: stranger}, "flood", path, kind)
				press.Line()
				visitor := greetertest.StartAs(t, greetertest.User{UID: guest, GID: guest}, "visit", path, transport, span.String())
				var v visit
				if err := json.Unmarshal([]byte(visitor.Line()), &v); err != nil {
					t.Fatal(err)
				}
				t.Logf("%d calls, %d failed, p50 %v, p99 %v; %d new clients, %d failed, p50 %v, p99 %v %s",
					v.Calls, v.Failed, v.P50, v.P99, v.Firsts, v.FirstFailed, v.First50, v.First99, v.Error)
				if v.Failed > 0 || v.FirstFailed > 0 || v.Calls == 0 || v.Firsts == 0 {
					t.Errorf("of %d calls %d failed, of %d first calls of new clients %d: %s", v.Calls, v.Failed, v.Firsts, v.FirstFailed, v.Error)
				}
			})
		}
	}
}
