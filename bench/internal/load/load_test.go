package load_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// wrong is a client whose replies are changed.
type wrong struct{ change func([]byte) []byte }

func (w wrong) Unary(_ context.Context, data []byte) ([]byte, error) {
	return w.change(append([]byte(nil), data...)), nil
}

func (w wrong) PingPong(context.Context) (peer.Stream, error) { return w, nil }

func (w wrong) RoundTrip(data []byte) ([]byte, error) { return w.Unary(context.Background(), data) }

func (w wrong) ServerStream(_ context.Context, count, size int, got func([]byte)) error {
	for range count {
		got(w.change(peer.Payload(size)))
	}
	return nil
}

func (w wrong) ClientStream(_ context.Context, count int, data []byte) (messages, bytes uint64, err error) {
	return uint64(count), uint64(count * len(w.change(append([]byte(nil), data...)))), nil
}

func (w wrong) Take(_ context.Context, data []byte, files []*os.File) (back []byte, taken int, err error) {
	return w.change(append([]byte(nil), data...)), len(files), nil
}

func (w wrong) SumMemory(_ context.Context, memory *os.File) (sum, bytes uint64, err error) {
	info, err := memory.Stat()
	if err != nil {
		return 0, 0, err
	}
	data := make([]byte, info.Size())
	_, err = memory.ReadAt(data, 0)
	data = w.change(data)
	return peer.Sum(data), uint64(len(data)), err
}

func (w wrong) SumMessages(_ context.Context, data []byte, _ int) (sum, bytes uint64, err error) {
	data = w.change(append([]byte(nil), data...))
	return peer.Sum(data), uint64(len(data)), nil
}

func (wrong) Close() error { return nil }

func same(b []byte) []byte  { return b }
func short(b []byte) []byte { return b[1:] }

func flipped(b []byte) []byte {
	b[len(b)-1] ^= 1
	return b
}

func TestWrongRepliesAreNoticed(t *testing.T) {
	for _, kind := range load.Kinds() {
		spec := load.Spec{Kind: kind, Size: 64}
		if err := load.Verify(t.Context(), wrong{same}, spec); err != nil {
			t.Errorf("%s, right: %v", kind, err)
		}
		if err := load.Verify(t.Context(), wrong{short}, spec); err == nil {
			t.Errorf("%s: nobody noticed a reply that is too short", kind)
		}
		if kind == load.ClientStream {
			continue // the server tells how much it got, not what
		}
		if err := load.Verify(t.Context(), wrong{flipped}, spec); err == nil {
			t.Errorf("%s: nobody noticed a wrong byte", kind)
		}
	}
}

func TestRun(t *testing.T) {
	for _, kind := range load.Kinds() {
		client := wrong{same}
		target := load.Target{Client: client, Dial: func(context.Context, int) (peer.Client, error) { return client, nil }}
		spec := load.Spec{Kind: kind, Size: 64, Duration: time.Millisecond}
		got, err := load.Run(t.Context(), target, spec)
		if err != nil || got.Calls == 0 || got.Elapsed < spec.Duration && kind != load.Herd {
			t.Errorf("%s: got %+v, %v", kind, got, err)
		}
		target.Client, client = wrong{short}, wrong{short}
		if _, err := load.Run(t.Context(), target, spec); err == nil {
			t.Errorf("%s: nobody noticed a reply that is too short", kind)
		}
	}
}

func TestEveryCallerCalls(t *testing.T) {
	const callers = 50
	got, err := load.Run(t.Context(), load.Target{Client: wrong{same}}, load.Spec{Kind: load.Unary, Size: 1, Callers: callers})
	if err != nil || got.Calls < callers {
		t.Errorf("got %+v, %v; want %d calls at least", got, err, callers)
	}
}

func TestUnknownKind(t *testing.T) {
	_, err := load.Run(t.Context(), load.Target{}, load.Spec{Kind: "telegram"})
	if err == nil || !strings.Contains(err.Error(), "telegram") {
		t.Errorf("got %v", err)
	}
}
