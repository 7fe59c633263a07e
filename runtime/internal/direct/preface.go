package direct

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc/metadata"
)

// The client begins with the magic words, the lowest and the highest version that it speaks, and four zero
// bytes for later use. These are as many bytes as HTTP/2's preface, so that an HTTP/2 server answers, with
// its settings or by hanging up, instead of waiting for more. The server answers with its own words, the
// version that both will speak, or 0 for none, and then 1 if it has too many connections at the moment,
// else 0.
const (
	clientMagic = "UDSGRPC-DIRECT\r\n\r\n"
	serverMagic = "UDSGRPC-DIRECT"

	// Magic is the beginning of a client's preface.
	Magic = clientMagic

	// PrefaceLen is how much the client sends before it waits for an answer.
	PrefaceLen = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	helloLen   = len(serverMagic) + 2

	version = 1

	// helloTimeout is how long a client waits for the answer. A server that needs longer hangs or does
	// not serve yet; HTTP/2 then waits for it.
	helloTimeout = 2 * time.Second
)

// IsPreface reports whether the first PrefaceLen bytes from a client say that it speaks the direct
// transport.
func IsPreface(b []byte) bool { return len(b) == PrefaceLen && bytes.HasPrefix(b, []byte(clientMagic)) }

var (
	errPlain   = errors.New("the server speaks HTTP/2 only")
	errFull    = errors.New("direct transport: too many connections, this one goes on with HTTP/2")
	errNoHello = errors.New("the server did not answer")
)

func appendPreface(b []byte, lowest, highest byte) []byte {
	b = append(b, clientMagic...)
	return append(b, lowest, highest, 0, 0, 0, 0)
}

// greet sends a client's preface and introduction, and reads the server's answer.
func greet(ctx context.Context, c net.Conn) error {
	deadline := time.Now().Add(helloTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	c.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(0, 0)) })
	defer stop()
	b := appendPreface(nil, version, version)
	b, start := openFrame(b, kindIntro)
	b = appendMetadata(b, metadata.MD{
		":authority":   {authority},
		"content-type": {contentType},
		"user-agent":   {userAgent},
	})
	closeFrame(b, start)
	if _, err := c.Write(b); err != nil {
		return fmt.Errorf("%w: %w", errNoHello, err)
	}
	hello := make([]byte, helloLen)
	n, err := io.ReadFull(c, hello)
	if !bytes.HasPrefix([]byte(serverMagic), hello[:min(n, len(serverMagic))]) {
		return errPlain
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNoHello, err)
	}
	switch {
	case hello[len(serverMagic)] == version:
	case hello[len(serverMagic)+1] == 1:
		return errFull
	default:
		return errPlain
	}
	if !stop() {
		return ctx.Err()
	}
	return c.SetDeadline(time.Time{})
}

// answer reads the introduction of a client whose preface was read, and tells it which version will be
// spoken. It returns the metadata that all calls of the client have.
func answer(c net.Conn, f *reader, preface []byte, full bool) (metadata.MD, error) {
	versions, ok := bytes.CutPrefix(preface, []byte(clientMagic))
	if !ok || len(preface) != PrefaceLen {
		return nil, violationf("begins with %q", preface)
	}
	k, n, err := f.header()
	if err != nil {
		return nil, err
	}
	if k != kindIntro {
		return nil, violationf("introduces itself with a frame of kind %q", k)
	}
	b, err := f.head(n)
	if err != nil {
		return nil, err
	}
	md, err := parseMetadata(b)
	if err == nil {
		err = checkReceived(md)
	}
	if err != nil {
		return nil, err
	}
	speak, isFull := byte(version), byte(0)
	if versions[0] > version || versions[1] < version {
		speak = 0
	} else if full {
		speak, isFull = 0, 1
	}
	if _, err := c.Write(append([]byte(serverMagic), speak, isFull)); err != nil {
		return nil, err
	}
	if full {
		return nil, errFull
	}
	if speak == 0 {
		return nil, violationf("speaks versions %d to %d, and this end %d", versions[0], versions[1], version)
	}
	return md, nil
}
