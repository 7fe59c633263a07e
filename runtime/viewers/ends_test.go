package viewers_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

func TestDrainEndsViewersAtOnceAndDoesNotWaitForThem(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(*greetertest.Served){
		"drain": func(s *greetertest.Served) { s.Stop() },
		"close": func(s *greetertest.Served) { s.Close() },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			path := fixture.FreePath(t)
			srv := greetertest.Serve(t, path, greetertest.New(), runtime.ShutdownTimeout(fixture.Guard))
			// These say nothing more, and read nothing. They are there until the end, and no longer.
			silent := []net.Conn{hang(t, path, ""), hang(t, path, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")}
			v := look(t, path)
			end(srv)
			for {
				if _, err := v.stream.Recv(); err != nil {
					greetertest.CheckCode(t, err, codes.Unavailable)
					break
				}
			}
			select {
			case err := <-srv.Done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(fixture.Guard):
				t.Error("the server waits for viewers")
			}
			for _, conn := range silent {
				if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
					t.Errorf("a silent viewer's connection ends with %v", err)
				}
			}
		})
	}
}

func TestViewersAreToldWhileCallsStillRun(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	g := greetertest.New()
	srv := greetertest.Serve(t, path, g, runtime.ShutdownTimeout(fixture.Guard))
	client, _ := greetertest.Dial(t, path)
	called := make(chan error, 1)
	go func() {
		_, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "wait"})
		called <- err
	}()
	<-g.Entered
	v := look(t, path)
	srv.Stop()
	for {
		if _, err := v.stream.Recv(); err != nil {
			greetertest.CheckCode(t, err, codes.Unavailable)
			break
		}
	}
	close(g.Release)
	greetertest.CheckCode(t, <-called, codes.OK)
	if err := <-srv.Done; err != nil {
		t.Error(err)
	}
}

// hang returns a connection of a viewer that says something and then hangs.
func hang(t *testing.T, path, says string) net.Conn {
	t.Helper()
	conn, err := ask(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, says); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestServersWithoutInspectionSaySo(t *testing.T) {
	t.Parallel()
	off, own, plain := fixture.FreePath(t), fixture.FreePath(t), fixture.FreePath(t)
	greetertest.Serve(t, off, greetertest.New(), runtime.NoInspection())
	greetertest.Serve(t, own, greetertest.New(), runtime.GRPCServerOptions(grpc.Creds(insecure.NewCredentials())))
	l, err := net.Listen("unix", plain)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	defer server.Stop()
	go server.Serve(l)

	var denied *inspectwire.DeniedError
	if _, err := ask(off); !errors.As(err, &denied) || denied.Answer != inspectwire.Off || !strings.Contains(denied.Text, "NoInspection") {
		t.Errorf("where it is turned off, the answer is %v", err)
	}
	for _, path := range []string{own, plain} {
		if _, err := ask(path); !errors.Is(err, inspectwire.ErrNone) {
			t.Errorf("where there is none, the answer is %v", err)
		}
	}
}

// A successor and a viewer begin with the same letters.
func TestPrefaceThatIsCutShortEndsTheConnection(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	greetertest.Serve(t, path, greetertest.New())
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, inspectwire.Preface[:20]+"\x00"); err != nil {
		t.Fatal(err)
	}
	first, _ := bufio.NewReader(conn).ReadByte()
	if first != 0 { // of HTTP/2's settings
		t.Errorf("the server answers %q", first)
	}
}
