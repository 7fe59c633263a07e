package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// verifyMessages is the length of the streams that are compared byte by byte.
const verifyMessages = 3

// Verify makes one call of the kind that spec says and compares every byte that comes back.
func Verify(ctx context.Context, c peer.Client, spec Spec) error {
	data := peer.Payload(spec.Size)
	var err error
	switch spec.Kind {
	case PingPong:
		err = verifyPingPong(ctx, c, data)
	case ServerStream:
		err = verifyServerStream(ctx, c, data)
	case ClientStream:
		err = verifyClientStream(ctx, c, data)
	case Files, SumMemory, SumMessages:
		spec.Duration = 0 // one call
		_, err = withFiles(ctx, c, data, spec)
	default:
		var got []byte
		got, err = c.Unary(ctx, data)
		err = compare(got, data, err)
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", spec.Kind, err)
	}
	return nil
}

func verifyPingPong(ctx context.Context, c peer.Client, data []byte) error {
	stream, err := c.PingPong(ctx)
	if err != nil {
		return err
	}
	got, err := stream.RoundTrip(data)
	return errors.Join(compare(got, data, err), stream.Close())
}

func verifyServerStream(ctx context.Context, c peer.Client, data []byte) error {
	same := 0
	err := c.ServerStream(ctx, verifyMessages, len(data), func(m []byte) {
		if bytes.Equal(m, data) {
			same++
		}
	})
	if err == nil && same != verifyMessages {
		err = fmt.Errorf("%d right messages arrived instead of %d", same, verifyMessages)
	}
	return err
}

func verifyClientStream(ctx context.Context, c peer.Client, data []byte) error {
	messages, size, err := c.ClientStream(ctx, verifyMessages, data)
	return checkStream(int(messages), int(size), verifyMessages, len(data), err)
}

func compare(got, want []byte, err error) error {
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("the echo of %d bytes is wrong", len(want))
	}
	return err
}
