package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

const (
	// Magic is the beginning of a client's preface.
	Magic = wire.ClientMagic
	// PrefaceLen is how much the client sends before it waits for an answer.
	PrefaceLen = wire.PrefaceLen
)

// IsPreface reports whether the first PrefaceLen bytes from a client say that it speaks the direct
// transport.
func IsPreface(b []byte) bool { return wire.IsPreface(b) }

// prefaceTimeout is how long a client waits for the answer to its preface, and a server for the rest of a
// client's introduction. A server that needs longer hangs or does not serve yet; HTTP/2 then waits for it.
const prefaceTimeout = 2 * time.Second

var (
	errPlain    = errors.New("the server speaks HTTP/2 only")
	errFull     = errors.New("direct transport: too many connections, this one goes on with HTTP/2")
	errNoAnswer = errors.New("the server did not answer")
)

// clientHandshake sends a client's preface and introduction, and reads the server's answer.
func clientHandshake(ctx context.Context, c net.Conn) error {
	deadline := time.Now().Add(prefaceTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	c.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(0, 0)) })
	defer stop()
	if _, err := c.Write(wire.AppendIntro(wire.AppendPreface(nil, wire.Version, wire.Version))); err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	answer := make([]byte, wire.AnswerLen)
	n, err := io.ReadFull(c, answer)
	if !wire.BeginsAnswer(answer[:n]) {
		return errPlain
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	switch speak, full := wire.ParseAnswer(answer); {
	case speak == wire.Version:
	case full:
		return errFull
	default:
		return errPlain
	}
	if !stop() {
		return ctx.Err()
	}
	return c.SetDeadline(time.Time{})
}

// serverHandshake reads the introduction of a client whose preface was read, and tells it which version
// will be spoken. It returns the metadata that all calls of the client have.
func serverHandshake(c net.Conn, f *wire.Reader, preface []byte, full bool) (metadata.MD, error) {
	lowest, highest, err := wire.ParsePreface(preface)
	if err != nil {
		return nil, err
	}
	md, err := f.Intro()
	if err != nil {
		return nil, err
	}
	known := lowest <= wire.Version && wire.Version <= highest
	speak := byte(wire.Version)
	if !known || full {
		speak = 0
	}
	if _, err := c.Write(wire.AppendAnswer(nil, speak, known && full)); err != nil {
		return nil, err
	}
	if full {
		return nil, errFull
	}
	if !known {
		return nil, wire.Violationf("speaks versions %d to %d, and this end %d", lowest, highest, wire.Version)
	}
	return md, nil
}
