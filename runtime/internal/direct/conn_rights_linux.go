package direct

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// controlLen is the length of the control message with as many descriptors as the kernel passes on at once.
var controlLen = unix.CmsgSpace(wire.MaxFiles * 4)

// readOnce reads what has arrived. Where open files can arrive, they are kept in c.files. Elsewhere the
// kernel closes them.
func (c *conn) readOnce(fd int, p []byte) (int, error) {
	if !c.files.receives() {
		return syscall.Read(fd, p)
	}
	return c.files.receive(fd, p)
}

// receive is read(2) that receives descriptors, too. The kernel adds earlier bytes to a read that brings
// descriptors, never later ones, and never returns those of two messages at once.
func (f *incoming) receive(fd int, p []byte) (int, error) {
	control := f.pool.Get(controlLen)
	defer f.pool.Put(control)
	n, received, flags, err := recvmsg(fd, p, *control)
	if err != nil {
		return n, err
	}
	if raceDetector {
		syscall.Read(fd, p[:0]) // which it knows; see conn_linux.go
	}
	truncated := flags&unix.MSG_CTRUNC != 0
	if received > 0 || truncated {
		f.arrive(descriptorsIn((*control)[:received]), truncated)
	}
	return n, nil
}

// recvmsg is recvmsg(2) without an address: syscall.Recvmsg takes memory for one each time.
func recvmsg(fd int, p, control []byte) (n, controlLen, flags int, err error) {
	piece := unix.Iovec{Base: unsafe.SliceData(p)}
	piece.SetLen(len(p))
	message := unix.Msghdr{Iov: &piece, Control: unsafe.SliceData(control)}
	message.SetIovlen(1)
	message.SetControllen(len(control))
	got, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), unix.MSG_CMSG_CLOEXEC)
	if errno != 0 {
		return -1, 0, 0, errno
	}
	return int(got), int(message.Controllen), int(message.Flags), nil
}

// read waits for content and reads it, like receive.
func (f *incoming) read(raw syscall.RawConn, p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if f.tryRead == nil {
		f.tryRead = f.receiveInto // made once
	}
	f.into = p
	waitErr := raw.Read(f.tryRead)
	n, err = f.readN, f.readErr
	f.into = nil
	switch {
	case waitErr != nil:
		return 0, waitErr
	case err != nil:
		return 0, os.NewSyscallError("recvmsg", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// receiveInto is called by the poller, for read, when there may be something to read.
func (f *incoming) receiveInto(fd uintptr) (done bool) {
	for {
		f.readN, f.readErr = f.receive(int(fd), f.into)
		if f.readErr != syscall.EINTR {
			return f.readErr != syscall.EAGAIN
		}
	}
}

func descriptorsIn(control []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		if some, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, some...)
		}
	}
	return fds
}

// rights returns the control message with which descriptors are sent.
func rights(fds []int) []byte { return unix.UnixRights(fds...) }

// sendFiles is writePieces with the descriptors in c.passing, which the kernel takes together with the first
// byte. A receiver that lets this process send none gets the rest: it says why, in its answer.
func (c *conn) sendFiles(fd int) (int, error) {
	if raceDetector {
		syscall.Write(fd, nil) // which it knows; see conn_linux.go
	}
	n, err := unix.SendmsgBuffers(fd, c.pieces[:min(len(c.pieces), maxPieces)], c.passing, nil, unix.MSG_NOSIGNAL)
	switch err {
	case nil:
		c.passing = nil
	case unix.EPERM:
		c.passing = nil
		return c.writePieces(fd)
	}
	return n, err
}

// allowFiles lets the client send descriptors, where whoever has accepted the connection does not. Nothing
// else comes with them: a connection inherits other options from its listener, which may be the service
// manager's, and what they add takes the room of descriptors or, for a pidfd, is one.
func (c *conn) allowFiles() {
	c.raw.Control(func(fd uintptr) {
		for _, option := range []int{unix.SO_PASSCRED, unix.SO_PASSSEC, unix.SO_PASSPIDFD} {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, 0)
		}
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSRIGHTS, 1)
	})
}

func closeDescriptors(fds []int) {
	for _, fd := range fds {
		openfile.CloseDescriptor(fd)
	}
}
