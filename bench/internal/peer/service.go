package peer

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	benchv1 "github.com/udsgrpc/udsgrpc/bench/gen/bench/v1"
)

// What the service does is the same for all stubs; only the types of their streams differ.
// Likewise for the client.

type (
	sendFunc    = func(*benchv1.Payload) error
	receiveFunc = func() (*benchv1.Payload, error)
)

// echoAll answers each message until the client is done.
func echoAll(receive receiveFunc, send sendFunc) error {
	for {
		m, err := receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(m); err != nil {
			return err
		}
	}
}

// sendAll sends what the client asked for.
func sendAll(req *benchv1.ServerStreamRequest, send sendFunc) error {
	m := &benchv1.Payload{Data: Payload(int(req.GetSize()))}
	for range req.GetCount() {
		if err := send(m); err != nil {
			return err
		}
	}
	return nil
}

// countAll counts messages until the client is done.
func countAll(receive receiveFunc) (*benchv1.Summary, error) {
	sum := &benchv1.Summary{}
	err := receiveAll(receive, func(data []byte) {
		sum.Count++
		sum.Bytes += uint64(len(data))
	})
	return sum, err
}

// receiveAll hands every message to got, until the stream ends well.
func receiveAll(receive receiveFunc, got func([]byte)) error {
	for {
		m, err := receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		got(m.GetData())
	}
}

// sendSame sends the same message again and again.
func sendSame(count int, data []byte, send sendFunc) error {
	m := &benchv1.Payload{Data: data}
	for i := range count {
		if err := send(m); err != nil {
			return fmt.Errorf("send message %d of %d: %w", i+1, count, err)
		}
	}
	return nil
}

// pingPong is a [Stream] of any stubs.
type pingPong struct {
	send      sendFunc
	receive   receiveFunc
	closeSend func() error
}

func (s *pingPong) RoundTrip(data []byte) ([]byte, error) {
	if err := s.send(&benchv1.Payload{Data: data}); err != nil {
		return nil, err
	}
	m, err := s.receive()
	return m.GetData(), err
}

func (s *pingPong) Close() error {
	if err := s.closeSend(); err != nil {
		return err
	}
	return receiveAll(s.receive, func([]byte) {})
}

// copyName is the name of the ith copy of the service.
func copyName(i int) string { return benchv1.Bench_ServiceDesc.ServiceName + strconv.Itoa(i) }
