package direct

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// scripted is a connection whose other end has sent everything.
type scripted struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (c *scripted) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c *scripted) Write(b []byte) (int, error) { return c.out.Write(b) }
func (*scripted) SetDeadline(time.Time) error   { return nil }
func answerOf(version, full byte) []byte        { return append([]byte(wire.ServerMagic), version, full) }
func intro(md metadata.MD) []byte               { return frame(wire.KindIntro, wire.AppendMetadata(nil, md)...) }
func opening(low, high byte, frames []byte) []byte {
	return append(wire.Preface{Lowest: low, Highest: high}.Append(nil), frames...)
}

// FuzzServerHandshake: however a client begins, the server either refuses it or knows its metadata, and it
// sends a whole hello or nothing. What the client has sent besides is left for the calls.
func FuzzServerHandshake(f *testing.F) {
	md := metadata.MD{":authority": {wire.Authority}, "k": {"v", ""}, "k-bin": {"\x00\xff"}}
	for _, b := range [][]byte{
		nil,
		opening(wire.Version, wire.Version, intro(nil)),
		opening(wire.Version, wire.Version, intro(md)),
		opening(wire.Version, 255, append(intro(md), endFrame...)),
		opening(wire.Version, wire.Version, append(intro(md), unaryCall("with the preface")...)),
		opening(2, 255, append(intro(md), unaryCall("with the preface")...)),
		opening(2, 255, intro(md)),
		opening(2, 1, intro(md)),
		opening(0, 0, intro(md)),
		opening(wire.Version, wire.Version, nil),
		opening(wire.Version, wire.Version, intro(md)[:7]),
		opening(wire.Version, wire.Version, announce(wire.KindIntro, wire.MaxControl)),
		opening(wire.Version, wire.Version, announce(wire.KindIntro, wire.MaxFrame+1)),
		opening(wire.Version, wire.Version, endFrame),
		opening(wire.Version, wire.Version, intro(metadata.MD{"k": {"v\nforged"}})),
		[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	} {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, sent []byte, full bool) {
		preface := sent[:min(len(sent), PrefaceLen)]
		var rd wire.Reader
		rd.Init(&testSource{&rd, sent[len(preface):], 0}, &wire.Buffers{})
		c := &scripted{}
		md, err := serverHandshake(c, &rd, preface, wire.Answer{Full: full})
		v := wire.Violation("")
		switch {
		case err == nil:
			if !IsPreface(preface) || full || !bytes.Equal(c.out.Bytes(), answerOf(wire.Version, 0)) {
				t.Errorf("%q is welcomed with %q", preface, &c.out)
			}
			again, err := wire.ParseMetadata(wire.AppendMetadata(nil, md))
			if diff := cmp.Diff(md, again); err != nil || diff != "" || wire.CheckRequestMetadata(md) != nil {
				t.Errorf("the metadata is %q; sent on, it is %v, %s", md, err, diff)
			}
			introLen := wire.FrameHeaderLen + int(binary.BigEndian.Uint32(sent[PrefaceLen+1:]))
			if rest, _ := io.ReadAll(&rd); !bytes.Equal(rest, sent[PrefaceLen+introLen:]) {
				t.Errorf("%q is left of %q", rest, sent)
			}
		case err == errFull:
			if !full || c.out.Len() != wire.AnswerLen {
				t.Errorf("full: %v, and the answer is %q", full, &c.out)
			}
		case errors.As(err, &v):
			if got := c.out.Bytes(); len(got) > 0 && !bytes.Equal(got, answerOf(0, 0)) {
				t.Errorf("after %v the answer is %q", err, got)
			}
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || c.out.Len() > 0:
			t.Errorf("the error is %v, and the answer %q", err, &c.out)
		}
	})
}

// FuzzClientHandshake: whatever answers a client, it continues only with a server that speaks its version,
// and a server understands what the client has sent. A call that went with it may have been processed only if the
// answer is missing or cut short.
func FuzzClientHandshake(f *testing.F) {
	for _, b := range [][]byte{
		nil,
		answerOf(wire.Version, 0),
		answerOf(wire.Version, 1),
		answerOf(0, 0),
		answerOf(0, 1),
		answerOf(2, 0),
		answerOf(wire.Version, 0)[:wire.AnswerLen-1],
		[]byte(wire.ServerMagic)[:5],
		append(answerOf(wire.Version, 0), okFrame...),
		[]byte("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"), // HTTP/2's settings
		[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
	} {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, answered []byte, hasCall bool) {
		c := &scripted{in: bytes.NewReader(answered)}
		var call []byte
		if hasCall {
			call = unaryCall("with the preface")
		}
		g := greeting{Conn: c, bytes: append(appendGreeting(nil, 0, false), call...), hasCall: hasCall, closing: t.Context()}
		_, err := g.exchange(t.Context())
		var uncertain errUncertain
		if want := hasCall && len(answered) < wire.AnswerLen && wire.BeginsAnswer(answered); errors.As(err, &uncertain) != want {
			t.Errorf("after %q the error is %v; that the call may have been processed is %v", answered, err, want)
		}
		switch {
		case uncertain.error != nil:
		case bytes.HasPrefix(answered, answerOf(wire.Version, 0)[:wire.AnswerLen-1]) && len(answered) >= wire.AnswerLen:
			if err != nil {
				t.Errorf("a server that speaks this version is refused: %v", err)
			}
		case bytes.HasPrefix(answered, []byte(wire.ServerMagic)) && len(answered) >= wire.AnswerLen && answered[wire.AnswerLen-1]&1 != 0: // other bits are for later
			if err != errFull {
				t.Errorf("a full server is taken for one with which %v", err)
			}
		default:
			if !slices.ContainsFunc([]error{errPlain, errNoAnswer}, func(e error) bool { return errors.Is(err, e) }) {
				t.Errorf("%q comes to %v", answered, err)
			}
		}
		sent := c.out.Bytes()
		var rd wire.Reader
		rd.Init(&testSource{&rd, sent[PrefaceLen:], 0}, &wire.Buffers{})
		if _, err := serverHandshake(&scripted{}, &rd, sent[:PrefaceLen], wire.Answer{}); err != nil {
			t.Errorf("what the client has sent is refused: %v", err)
		}
		if rest, _ := io.ReadAll(&rd); !bytes.Equal(rest, call) {
			t.Errorf("of what the client has sent, %q is left for calls, and not %q", rest, call)
		}
	})
}
