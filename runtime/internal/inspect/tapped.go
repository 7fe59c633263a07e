package inspect

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/redact"
)

// maxContents is how many bytes of messages and metadata are shown of a call. Larger messages are left out, without
// being looked at.
const maxContents = 64 << 10

// tapped is a call that taps are told of when it has ended.
type tapped struct {
	begun     time.Time
	name      string
	caller    Caller
	program   string
	transport inspectv1.Transport
	taps      []*tap

	requests, responses traffic
	contents            *contents // nil if no tap sees them
}

// traffic counts messages in one direction.
type traffic struct{ messages, bytes atomic.Uint64 }

// contents is what is in a call. Both directions of a stream may be used at once.
type contents struct {
	mu   sync.Mutex
	room int // bytes that are left of maxContents
	told inspectv1.Contents
}

func (i *Inspection) beginTapped(ctx context.Context, taps []*tap, name string) *tapped {
	t := &tapped{begun: time.Now(), name: name, caller: i.config.Caller(ctx), transport: i.config.Transport(ctx), taps: taps}
	t.program = i.programs.of(t.caller.PID, t.begun)
	if slices.ContainsFunc(taps, func(t *tap) bool { return t.contents }) {
		t.contents = &contents{room: maxContents}
		t.contents.addHeaders(ctx)
	}
	return t
}

// request counts a message that was received, unless there was an error, which it returns.
func (t *tapped) request(m any, err error) error {
	if err == nil {
		t.pass(&t.requests, m, false)
	}
	return err
}

// response does the same for one that was sent.
func (t *tapped) response(m any, err error) error {
	if err == nil {
		t.pass(&t.responses, m, true)
	}
	return err
}

func (t *tapped) pass(direction *traffic, m any, isResponse bool) {
	direction.messages.Add(1)
	message := messageOf(m)
	size := 0
	if message != nil {
		size = proto.Size(message)
		direction.bytes.Add(uint64(size))
	}
	if t.contents != nil {
		t.contents.add(message, size, isResponse)
	}
}

// messageOf returns a message of protobuf, or nil for another one.
func messageOf(m any) proto.Message {
	switch m := m.(type) {
	case proto.Message:
		return m
	case protoadapt.MessageV1:
		return protoadapt.MessageV2Of(m)
	}
	return nil
}

// end tells the taps.
func (t *tapped) end(err error) {
	took, code := time.Since(t.begun), codeOf(err)
	var space [256]byte
	bare := t.append(space[:0], took, code)
	var full []byte
	if t.contents != nil {
		full = appendBytes(slices.Clone(bare), fieldContents, t.contents.encode(err))
	}
	for _, tap := range t.taps {
		if tap.contents {
			tap.tell(full)
		} else {
			tap.tell(bare)
		}
	}
}

func (c *contents) addHeaders(ctx context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, key := range slices.Sorted(maps.Keys(md)) {
		for _, value := range md[key] {
			if len(key)+len(value) > c.room {
				continue
			}
			c.room -= len(key) + len(value)
			c.told.Headers = append(c.told.Headers, &inspectv1.Header{
				Key:   strings.ToValidUTF8(key, "\uFFFD"),
				Value: strings.ToValidUTF8(redact.Header(key, value), "\uFFFD"),
			})
		}
	}
}

func (c *contents) add(m proto.Message, size int, isResponse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m == nil || size > c.room {
		c.told.LeftOut++
		return
	}
	text := redact.JSON(m)
	if len(text) > c.room {
		c.room = 0 // such as this one are not made again
		c.told.LeftOut++
		return
	}
	c.room -= len(text)
	c.told.Messages = append(c.told.Messages, &inspectv1.Message{Response: isResponse, Json: text})
}

// encode returns the contents of a call that has ended.
func (c *contents) encode(err error) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told.StatusMessage = statusMessage(err)
	b, _ := proto.Marshal(&c.told) // its strings are of UTF-8
	return b
}

func statusMessage(err error) string {
	if err == nil {
		return ""
	}
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err)
	}
	text := s.Message()
	return strings.ToValidUTF8(text[:min(len(text), maxContents)], "\uFFFD")
}

// tappedStream is a stream whose messages are counted.
type tappedStream struct {
	grpc.ServerStream
	t *tapped
}

func (s tappedStream) RecvMsg(m any) error { return s.t.request(m, s.ServerStream.RecvMsg(m)) }
func (s tappedStream) SendMsg(m any) error { return s.t.response(m, s.ServerStream.SendMsg(m)) }
