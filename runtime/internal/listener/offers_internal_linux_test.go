package listener

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

// handOverAll hands l over to each process that asks, until it is closed.
func handOverAll(t *testing.T, l *Listener) (ended <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			if _, err := io.ReadFull(conn, make([]byte, len(HandoverRequest))); err == nil {
				l.HandOver(t.Context(), conn)
			}
			conn.Close()
		}
	}()
	return done
}

func TestOfferLapsesWhenTheSuccessorIsNotReady(t *testing.T) {
	t.Parallel()
	path := fixture.FreePath(t)
	owner, err := (&Config{}).Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	owner.offers.lapse = 20 * time.Millisecond
	ended := handOverAll(t, owner)
	defer func() {
		owner.Close()
		<-ended
	}()
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Guard)
	defer cancel()
	late, err := (&Config{Mode: 0o666}).TakeOver(ctx, path, dial)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	conn := late.owner.Load()
	fixture.Eventually(t, "the offer to lapse", func() bool { return answered(conn) })
	before := changed(t, path)
	err = late.Commit()
	if !errors.Is(err, sockerr.ErrInUse) || !strings.Contains(err.Error(), "the offer has lapsed") {
		t.Errorf("Commit returned %v", err)
	}
	if changed(t, path) != before {
		t.Error("who came too late has changed the file, be it for a moment")
	}
	next, err := (&Config{}).TakeOver(ctx, path, dial)
	if err != nil {
		t.Fatalf("the owner does not offer its listener again: %v", err)
	}
	next.Close()
}

func dial(_ context.Context, addr string) (*net.UnixConn, error) {
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: addr, Net: "unix"})
}

// changed is when mode or owner of a file were last set.
func changed(t *testing.T, path string) unix.Timespec {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ctim
}
