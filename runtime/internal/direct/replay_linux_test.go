package direct

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// count is a service that answers how many bytes its messages have.
var count = service{stream: func(ss grpc.ServerStream) error {
	var got []byte
	for {
		m := &blob{}
		switch err := ss.RecvMsg(m); {
		case err == io.EOF:
			return ss.SendMsg(&blob{Value: got})
		case err != nil:
			return err
		}
		got = append(got, m.Value...)
	}
}}

// startSending opens a stream to a server that has not read it and then drains, and sends one message
// there. Calls that are sent again go to next.
func startSending(t *testing.T, next *host) (stream *clientStream, drain func()) {
	t.Helper()
	old := newSleeper(t, count)
	c, s := newSleepersClient(t, old)
	stream = open(t, c, &upDesc).(*clientStream)
	if err := stream.SendMsg(&blob{Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	old.queued(1)
	s.move(next.accept)
	return stream, func() {
		old.drain()
		await(t, "the drain", old.drained)
	}
}

// sendSoon sends as if messages came in quick succession, so that the flusher writes them, and waits until
// it has tried.
func (s *clientStream) sendSoon(t *testing.T, m *blob) error {
	t.Helper()
	s.batching.last = time.Now().Add(time.Hour)
	err := s.SendMsg(m)
	fixture.Eventually(t, "the flusher", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.out.flusher && !s.out.writing
	})
	return err
}

// wantCount ends the stream and checks what the server received.
func (s *clientStream) wantCount(t *testing.T, want int) {
	t.Helper()
	m := &blob{}
	if err := errors.Join(s.CloseSend(), s.RecvMsg(m)); err != nil || len(m.Value) != want {
		t.Errorf("the server got %d bytes, %v; want %d", len(m.Value), err, want)
	}
}

// An error of the flusher's write shows later. Until then it is unknown what the server has read, however
// much was sent.
func TestMessagesThatTheFlusherCouldNotWriteAreSentAnew(t *testing.T) {
	stream, drain := startSending(t, newHost(t, count, ServerConfig{}))
	drain()
	sent := 1
	for sent <= 2*replayLimit {
		if err := stream.sendSoon(t, &blob{Value: make([]byte, 4000)}); err != nil {
			t.Fatal(err)
		}
		sent += 4000
	}
	stream.wantCount(t, sent)
}

func TestNothingIsKeptOfACallThatTheServerMustHaveBegun(t *testing.T) {
	h := newHost(t, count, ServerConfig{})
	c, _ := newClient(t, h.accept)
	stream := open(t, c, &upDesc).(*clientStream)
	sent := 0
	for sent <= 2*replayLimit {
		if err := stream.SendMsg(&blob{Value: make([]byte, 64<<10)}); err != nil {
			t.Fatal(err)
		}
		sent += 64 << 10
	}
	fixture.Eventually(t, "what was kept to be dropped", func() bool {
		stream.mu.Lock()
		defer stream.mu.Unlock()
		return !stream.out.keeping && stream.out.next == 0
	})
	stream.wantCount(t, sent)
}

// The administrator may have let the kernel queue more than by default.
func TestMoreIsKeptWhereTheKernelQueuesMore(t *testing.T) {
	stream, drain := startSending(t, newHost(t, count, ServerConfig{}))
	const queue = replayLimit + 64<<10
	if err := stream.conn.SetWriteBuffer(queue); err != nil {
		t.Fatal(err)
	}
	if n := stream.conn.sendBuffer(); n < queue {
		t.Skipf("net.core.wmem_max allows for %d bytes only", n)
	}
	sent := 1
	for sent <= replayLimit {
		if err := stream.SendMsg(&blob{Value: make([]byte, 10<<10)}); err != nil {
			t.Fatal(err)
		}
		sent += 10 << 10
	}
	drain()
	stream.wantCount(t, sent)
}

// The state of the call is examined when nobody writes any more.
func TestCallThatTheServerMustHaveBegunIsNotBegunAnew(t *testing.T) {
	next := newHost(t, count, ServerConfig{})
	stream, drain := startSending(t, next)
	drain()
	stream.mu.Lock()
	stream.state.step(eventMuchTaken)
	stream.mu.Unlock()
	stream.reading.Lock()
	again, err := stream.sendAgain(nil)
	stream.reading.Unlock()
	if again || status.Code(err) != codes.Unavailable {
		t.Errorf("the call is sent again: %v, %v", again, err)
	}
}

// The end that SendMsg has reported does not change.
func TestCallIsNotBegunAnewAfterSendMsgHasSaidThatItIsOver(t *testing.T) {
	old := newHost(t, service{}, ServerConfig{})
	s := newSite(t, old.accept)
	stop := false
	c := NewClient(ClientConfig{Dial: s.dial, MaxConns: 10, Stats: handlers{statsFuncs{rpc: func(_ context.Context, e stats.RPCStats) {
		if _, ok := e.(*stats.OutHeader); ok && stop { // after the connection was checked, and before it is written to
			stop = false
			s.move(nil)
			old.Stop()
			old.runs.Wait()
		}
	}}}})
	t.Cleanup(c.Close)
	mustEcho(t, c, "x")
	stop = true
	stream := open(t, c, &bothDesc)
	if err := stream.SendMsg(&blob{}); err != io.EOF {
		t.Fatalf("sending comes to %v", err)
	}
	next := newHost(t, service{stream: func(grpc.ServerStream) error {
		t.Error("the next server has the call")
		return nil
	}}, ServerConfig{})
	s.move(next.accept)
	if err := stream.RecvMsg(&blob{}); status.Code(err) != codes.Unavailable {
		t.Errorf("receiving comes to %v", err)
	}
}

// The sending and the receiving goroutine notice the end of a server at any time: before, after, or while
// the other one does.
func TestSendingWhileReceivingSurvivesADrain(t *testing.T) {
	for i := range 30 {
		t.Run("", func(t *testing.T) {
			stream, drain := startSending(t, newHost(t, count, ServerConfig{}))
			received, drained := make(chan error, 1), make(chan struct{})
			reply := &blob{}
			go func() { received <- stream.RecvMsg(reply) }()
			time.AfterFunc(time.Duration(i)*20*time.Microsecond, func() {
				defer close(drained)
				drain()
			})
			sent, m := 1, &blob{Value: make([]byte, 1000)}
			for range 1000 {
				if err := stream.SendMsg(m); err != nil {
					t.Fatalf("sending comes to %v", err)
				}
				sent += len(m.Value)
			}
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			if err := await(t, "the reply", received); err != nil || len(reply.Value) != sent {
				t.Errorf("the server got %d of %d bytes, %v", len(reply.Value), sent, err)
			}
			await(t, "the drain", drained)
		})
	}
}

// answerAll is a service that answers each message with a large one, so that the client has to receive it
// before the service reads further.
var answerAll = service{stream: func(ss grpc.ServerStream) error {
	for {
		switch err := ss.RecvMsg(&blob{}); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := ss.SendMsg(&blob{Value: make([]byte, 32<<10)}); err != nil {
			return err
		}
	}
}}

// sendMany sends up to n messages of a size, until one fails.
func sendMany(stream interface{ SendMsg(any) error }, n, size int) error {
	for range n {
		if err := stream.SendMsg(&blob{Value: make([]byte, size)}); err != nil {
			return err
		}
	}
	return nil
}

// awaitFull waits until much is in the queue to the other end.
func (c *conn) awaitFull(t *testing.T) {
	t.Helper()
	fixture.Eventually(t, "the queue to fill", func() bool {
		n := 0
		c.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		return n > 100<<10
	})
}

// receiveAll receives to the end of the stream, and returns how many messages that were.
func receiveAll(stream grpc.ClientStream) (n int, err error) {
	for {
		if err := stream.RecvMsg(&blob{}); err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		n++
	}
}

// More is sent again than the server reads before its answers are received.
func TestStreamThatIsBegunAnewIsReceivedFromMeanwhile(t *testing.T) {
	old := newSleeper(t, service{})
	c, s := newSleepersClient(t, old)
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	stream, err := c.NewStream(ctx, &bothDesc, bothMethod, nil)
	if err != nil {
		t.Fatal(err)
	}
	const messages = 40
	sent := make(chan error, 1)
	go func() {
		sent <- errors.Join(sendMany(stream, messages, 5000), sendMany(stream, 1, 1<<20), stream.CloseSend())
	}()
	old.queued(100_000) // of messages written one by one it has room for 170 KB
	s.move(newHost(t, answerAll, ServerConfig{}).accept)
	go old.drain()
	if n, err := receiveAll(stream); n != messages+1 || err != nil {
		t.Errorf("%d messages are received, %v", n, err)
	}
	if err := await(t, "the messages to be sent", sent); err != nil {
		t.Errorf("sending comes to %v", err)
	}
	await(t, "the drain", old.drained)
}

func TestHeaderIsFoundWhileAnotherWaitsForTheMessage(t *testing.T) {
	release := make(chan struct{})
	h := newHost(t, service{stream: func(ss grpc.ServerStream) error {
		if err := ss.SendHeader(metadata.Pairs("k", "v")); err != nil {
			return err
		}
		<-release
		return nil
	}}, ServerConfig{})
	c, _ := newClient(t, h.accept)
	stream := open(t, c, &bothDesc)
	received, found := make(chan error, 1), make(chan metadata.MD, 1)
	go func() { received <- stream.RecvMsg(&blob{}) }()
	go func() {
		md, _ := stream.Header()
		found <- md
	}()
	if md := await(t, "the header", found); md.Get("k") == nil {
		t.Errorf("the header is %v", md)
	}
	close(release)
	if err := await(t, "the end", received); err != io.EOF {
		t.Errorf("receiving comes to %v", err)
	}
}

func TestHeaderIsFoundThoughWhoSendsBeginsTheStreamAnew(t *testing.T) {
	old := newSleeper(t, service{})
	c, s := newSleepersClient(t, old)
	stream, err := c.NewStream(t.Context(), &bothDesc, bothMethod, []grpc.CallOption{grpc.WaitForReady(true)})
	if err != nil {
		t.Fatal(err)
	}
	old.queued(1)
	s.move(nil)
	old.drain()
	await(t, "the drain", old.drained)
	dials := s.dialed()
	sent, found := make(chan error, 1), make(chan error, 1)
	go func() { sent <- stream.SendMsg(&blob{}) }()
	fixture.Eventually(t, "the sender to look for a server", func() bool { return s.dialed() > dials })
	go func() {
		_, err := stream.Header()
		found <- err
	}()
	fixture.Eventually(t, "Header to wait", func() bool { return stream.(*clientStream).readingWaits.Load() > 0 })
	s.move(newHost(t, service{}, ServerConfig{}).accept)
	if err := await(t, "SendMsg", sent); err != nil {
		t.Errorf("sending comes to %v", err)
	}
	if err := await(t, "the header", found); err != nil {
		t.Errorf("the header comes to %v", err)
	}
}

// A server may answer before it has read anything.
func TestClientStreamThatIsBegunAnewIsAnsweredMeanwhile(t *testing.T) {
	blocked := make(chan struct{})
	c, s := newClient(t, fake(t, func(w *rawConn) {
		<-blocked
		w.CloseRead()
		w.Write(frame(wire.KindGoAway))
		io.Copy(io.Discard, w)
	}))
	stream := open(t, c, &upDesc)
	const large = 600 << 10
	s.move(newHost(t, service{stream: func(ss grpc.ServerStream) error {
		return ss.SendMsg(&blob{Value: make([]byte, large)})
	}}, ServerConfig{}).accept)
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(stream.SendMsg(&blob{Value: make([]byte, large)}), stream.CloseSend()) }()
	stream.(*clientStream).conn.awaitFull(t)
	close(blocked)
	received := make(chan error, 1)
	go func() { received <- stream.RecvMsg(&blob{}) }()
	if err := await(t, "the answer", received); err != nil {
		t.Errorf("the call comes to %v", err)
	}
	await(t, "the message to be sent", sent)
}

// The receiver may wait long for a server. A message that cannot be sent in any case ends the call.
func TestCallThatEndsWaitsForNoServer(t *testing.T) {
	old := newSleeper(t, service{})
	c, s := newSleepersClient(t, old)
	stream, err := c.NewStream(t.Context(), &bothDesc, bothMethod, []grpc.CallOption{grpc.WaitForReady(true), grpc.MaxCallSendMsgSize(100)})
	if err != nil {
		t.Fatal(err)
	}
	old.queued(1)
	s.move(nil)
	received, sent := make(chan error, 1), make(chan error, 1)
	go func() { received <- stream.RecvMsg(&blob{}) }()
	dials := s.dialed()
	old.drain()
	await(t, "the drain", old.drained)
	fixture.Eventually(t, "the receiver to look for a server", func() bool { return s.dialed() > dials })
	go func() { sent <- stream.SendMsg(&blob{Value: make([]byte, 1000)}) }()
	for what, c := range map[string]chan error{"SendMsg": sent, "RecvMsg": received} {
		if err := await(t, what, c); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s comes to %v", what, err)
		}
	}
}
