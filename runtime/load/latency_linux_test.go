package load_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// maxCallOverRaw is how much longer than an exchange of the same 64 B over a bare socket a unary call may take: about
// three times as much as it does. grpc-go's takes some eight times as long.
const maxCallOverRaw = 4

const (
	payload        = 64
	windows        = 60
	callsPerWindow = 40
)

// echoes is a program: it answers on one path with calls and on another with what it reads.
func echoes(args []string) error {
	l, err := net.Listen("unix", args[1])
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(struct{ io.Writer }{conn}, struct{ io.Reader }{conn}) // without splice(2)
		}
	}()
	srv, err := runtime.NewServer(args[0])
	if err != nil {
		return err
	}
	srv.RegisterService(&echoDesc, echoService{})
	fmt.Println("serving")
	return srv.Serve(context.Background())
}

// Windows of both are measured in turn, and the best of each are compared: some of them meet an idle processor, however
// busy the machine is.
func TestUnaryCallTakesNotMuchLongerThanABareSocket(t *testing.T) {
	if fixture.RaceDetector {
		t.Skip("the race detector slows calls down, and not the kernel")
	}
	path, raw := fixture.FreePath(t), fixture.FreePath(t)
	p := testproc.Start(t, "echoes", path, raw)
	p.Line()
	client, err := runtime.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := net.Dial("unix", raw)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := make([]byte, payload)
	exchange := func() {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatal(err)
		}
	}
	call := func() {
		if _, err := echo(t.Context(), client, &wrapperspb.BytesValue{Value: b}); err != nil {
			t.Fatal(err)
		}
	}
	best := func(so time.Duration, do func()) time.Duration {
		begin := time.Now()
		for range callsPerWindow {
			do()
		}
		return min(so, time.Since(begin)/callsPerWindow)
	}
	bestCall, bestRaw := time.Hour, time.Hour
	for range windows {
		bestRaw, bestCall = best(bestRaw, exchange), best(bestCall, call)
	}
	ratio := float64(bestCall) / float64(bestRaw)
	t.Logf("a call takes %v, an exchange over a socket %v: %.2f", bestCall, bestRaw, ratio)
	if ratio > maxCallOverRaw {
		t.Errorf("a call takes %v, %.1f times as long as an exchange over a socket, %v: %v times are allowed", bestCall, ratio, bestRaw, maxCallOverRaw)
	}
	p.Kill()
	p.WaitExit()
}
