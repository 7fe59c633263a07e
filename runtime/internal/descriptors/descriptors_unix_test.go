//go:build unix

package descriptors_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/runtime/internal/descriptors"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/sockerr"
)

func TestLimitIsTheSoftOne(t *testing.T) {
	t.Parallel()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if got := descriptors.Limit(); uint64(got) != min(uint64(limit.Cur), 1<<31-1) {
		t.Errorf("the limit is %d, and RLIMIT_NOFILE is %+v", got, limit)
	}
}

func TestPairIsConnectedAndNoOtherProgramGetsIt(t *testing.T) {
	t.Parallel()
	own, passed, err := descriptors.Pair("pair")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	defer passed.Close()
	flags, err := unix.FcntlInt(passed.Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the flags of the end to pass are %#x, %v: a program that is started now gets it", flags, err)
	}
	if _, err := passed.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 10)
	if n, err := own.Read(got); string(got[:n]) != "hello" || err != nil {
		t.Errorf("received %q, %v", got[:n], err)
	}
}

func TestDescriptorOfNoUnixSocketIsAnErrorAndIsClosed(t *testing.T) {
	t.Parallel()
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := descriptors.Conn(udp, "udp"); !errors.Is(err, sockerr.ErrNotSocket) {
		t.Errorf("the error for a UDP socket is %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := descriptors.Conn(fd, "pipe"); err == nil {
		t.Error("a pipe is a connection")
	}
	r.SetReadDeadline(time.Now().Add(fixture.Guard))
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("the reader of the pipe gets %q, %v", rest, err)
	}
}
