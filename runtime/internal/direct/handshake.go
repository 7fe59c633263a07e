package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
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

// appendGreeting appends what a client sends first, its preface and introduction. The client takes so many open
// files in a message, and perhaps rings.
func appendGreeting(b []byte, files int, rings bool) []byte {
	preface := wire.Preface{Lowest: wire.Version, Highest: wire.Version, Files: byte(files), Rings: rings}
	return wire.AppendIntro(preface.Append(b))
}

// noAnswer is an errNoAnswer for another error.
func noAnswer(err error) error { return fmt.Errorf("%w: %w", errNoAnswer, err) }

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// sooner returns the deadline of ctx, if that comes before t. A zero t is no time.
func sooner(ctx context.Context, t time.Time) time.Time {
	if d, ok := ctx.Deadline(); ok && (t.IsZero() || d.Before(t)) {
		return d
	}
	return t
}

// serverHandshake reads the introduction of a client whose preface was read, and answers with which version
// will be spoken. The other fields of the answer are given. It returns the metadata that all calls of the
// client have.
func serverHandshake(c io.Writer, f *wire.Reader, b []byte, answer wire.Answer) (metadata.MD, error) {
	preface, err := wire.ParsePreface(b)
	if err != nil {
		return nil, err
	}
	md, err := f.Intro()
	if err != nil {
		return nil, err
	}
	known := preface.Lowest <= wire.Version && wire.Version <= preface.Highest
	full := answer.Full
	if answer.Full = full && known; known && !full {
		answer.Version = wire.Version
	}
	if _, err := c.Write(answer.Append(nil)); err != nil {
		return nil, err
	}
	if full {
		return nil, errFull
	}
	if !known {
		return nil, wire.Violationf("speaks versions %d to %d, and this end %d", preface.Lowest, preface.Highest, wire.Version)
	}
	return md, nil
}
