package files_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

func unmarshal(b []byte, m proto.Message) error { return proto.Unmarshal(b, m) }

// Each is a violation, after which the server closes the connection and everything that came.
func TestViolationsWithFilesEndTheConnection(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	begin := call("/filetest.v1.Files/Swap")
	read := message(&filetestv1.Shapes{Text: "read", File: &udsgrpcv1.File{Id: 1}})
	for name, c := range map[string]struct {
		bytes []byte
		fds   int
	}{
		"more descriptors than F says":   {concat(begin, files(1), read, endFrame), 2},
		"descriptors without F":          {concat(begin, message(&filetestv1.Shapes{Text: "read"}), endFrame), 1},
		"F without M":                    {concat(begin, files(1), endFrame), 1},
		"F before F":                     {concat(begin, files(1), files(2), read, endFrame), 2},
		"F of none":                      {concat(begin, files(), read, endFrame), 1},
		"F of too many":                  {concat(begin, files(make([]uint64, 254)...), read, endFrame), 200},
		"F cut short":                    {concat(begin, wire.AppendFrameHeader(nil, wire.KindFiles, 2), []byte{1, 0}, read, endFrame), 1},
		"F instead of a call":            {concat(files(1), read), 1},
		"F after the message":            {concat(begin, read, files(1), endFrame), 1},
		"F in place of the end":          {concat(begin, files(1), read, files(2), read, endFrame), 2},
		"descriptors, and then nonsense": {concat(begin, []byte("nonsense that is no frame")), 100},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := dialRaw(t, path)
			r.send(c.bytes, make([]int, c.fds)...)
			r.wantClosed()
			for len(r.in) > 0 { // a status at most
				if k, _ := r.next(); k == wire.KindMessage {
					t.Error("the call was answered")
				}
			}
			r.end()
			before.check(name)
		})
	}
	// Others only end the call.
	for name, c := range map[string]struct {
		bytes []byte
		fds   int
		code  codes.Code
	}{
		"no descriptors":              {concat(begin, files(1), read, endFrame), 0, codes.FailedPrecondition},
		"fewer descriptors than ids":  {concat(begin, files(1, 2), read, endFrame), 1, codes.FailedPrecondition},
		"a file that no field is for": {concat(begin, files(7, 1), read, endFrame), 2, codes.OK},
		"ids twice":                   {concat(begin, files(1, 1), read, endFrame), 2, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := dialRaw(t, path)
			f := newFile("x")
			fds := make([]int, c.fds)
			for i := range fds {
				fds[i] = fdOf(t, f)
			}
			for range 3 { // the connection goes on
				r.send(c.bytes, fds...)
				if s := r.wantStatus(); codes.Code(s.Code) != c.code || s.Last {
					t.Errorf("got %+v, want %v", s, c.code)
				}
			}
			r.end()
			f.Close()
			before.check(name)
		})
	}
}

// hostileFor is how long peers send nonsense. UDSGRPC_HOSTILE sets more.
func hostileFor(t *testing.T) time.Duration {
	if s := os.Getenv("UDSGRPC_HOSTILE"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if testing.Short() {
		return time.Second / 4
	}
	return 2 * time.Second
}

// nonsense returns parts of calls or answers, whole, cut, or wrong.
func nonsense(random *rand.Rand, methods ...string) (b []byte) {
	for range random.IntN(5) {
		var part []byte
		switch random.IntN(9) {
		case 0, 1:
			if len(methods) > 0 {
				part = call(methods[random.IntN(len(methods))])
			}
		case 2, 3:
			ids := make([]uint64, random.IntN(5))
			for i := range ids {
				ids[i] = uint64(random.IntN(4))
			}
			part = files(ids...)
		case 4, 5:
			part = message(&filetestv1.Shapes{Text: []string{"read", "ignore", "return"}[random.IntN(3)], Files: []*udsgrpcv1.File{{Id: 1}, {Id: 2}}})
		case 6:
			part = endFrame
		case 7:
			status := (&wire.Status{Last: random.IntN(2) == 0}).Append(nil)
			part = append(wire.AppendFrameHeader(nil, wire.KindStatus, len(status)), status...)
		case 8:
			part = make([]byte, random.IntN(10))
		}
		if random.IntN(8) == 0 {
			part = part[:random.IntN(len(part)+1)]
		}
		b = append(b, part...)
	}
	return b
}

// blurt sends nonsense, with descriptors, until the other end has had enough.
func (r *raw) blurt(random *rand.Rand, methods ...string) {
	for range random.IntN(20) {
		if b := nonsense(random, methods...); len(b) > 0 {
			n := 0
			if random.IntN(2) == 0 {
				n = random.IntN(200)
			}
			if r.trySend(b, make([]int, n)...) != nil {
				return
			}
		}
	}
}

func TestHostileClientsLeaveNoDescriptorInTheServer(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	end, connections := time.Now().Add(hostileFor(t)), 0
	for seed := uint64(0); time.Now().Before(end); seed++ {
		random := rand.New(rand.NewPCG(seed, 0))
		r, _ := dialRaw(t, path)
		r.blurt(random, "/filetest.v1.Files/Swap", "/filetest.v1.Files/Collect", "/filetest.v1.Files/Chat", "/filetest.v1.Files/Echo", "/filetest.v1.Files/Unknown")
		r.end()
		connections++
	}
	t.Logf("%d connections", connections)
	before.check("after hostile clients")
}

func TestHostileServerLeavesNoDescriptorInTheClient(t *testing.T) {
	l, path := listen(t)
	client := dial(t, path)
	before := fixture.OpenFiles(t)
	var server sync.WaitGroup
	server.Go(func() {
		for seed := uint64(0); ; seed++ {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			r := newRaw(t, c)
			// The client may have had enough already.
			if r.more() == nil && r.trySend(wire.Answer{Version: wire.Version, TakesFiles: true, SendsFiles: true}.Append(nil)) == nil {
				r.blurt(rand.New(rand.NewPCG(seed, 1)))
			}
			r.end()
		}
	})
	end, calls := time.Now().Add(hostileFor(t)), 0
	for ; time.Now().Before(end); calls++ {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if reply, err := client.Swap(ctx, &filetestv1.Shapes{}); err == nil {
			for _, file := range reply.GetFiles() {
				file.Close()
			}
		}
		if stream, err := client.Chat(ctx); err == nil {
			for err == nil {
				var m *filetestv1.Shapes
				if m, err = stream.Recv(); err == nil {
					for _, file := range m.GetFiles() {
						file.Close()
					}
				}
			}
		}
		cancel()
	}
	t.Logf("%d calls", calls)
	l.Close()
	server.Wait()
	fixture.Eventually(t, "the client's descriptors to be as before", func() bool { return fixture.OpenFiles(t) <= before })
}

// Descriptors without F are closed when too many calls' worth of them has come, before the call has ended.
func TestDescriptorsThatNoMessageHasEndAnEndlessStream(t *testing.T) {
	path, _ := start(t, "serve")
	client := dial(t, path)
	before := count(t, client)
	r, _ := dialRaw(t, path)
	r.send(call("/filetest.v1.Files/Collect"))
	m := message(&filetestv1.Shapes{Text: "ignore"})
	var err error
	for err == nil {
		err = r.trySend(m, 0)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the stream goes on")
	}
	r.end()
	before.check("after the stream")
}
