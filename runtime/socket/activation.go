package socket

import "github.com/udsgrpc/udsgrpc/runtime/internal/listener"

// Activated returns a listener on addr that the service manager has passed to this process, by the
// protocol of systemd's socket activation (sd_listen_fds(3)): LISTEN_PID is this process, and one of the
// LISTEN_FDS descriptors from 3 on is a listening stream socket that is bound to addr. A path also matches
// when it leads to the same socket file, as /var/run/app.sock does to /run/app.sock. It reports false if
// there is none, as in a program that was started in another way; then call [Listen].
//
// The socket remains the manager's. Mode and owner are what the manager gave it, the directory is not
// checked, and no lock is taken. Its file is never removed: [Listener.Close] only stops accepting, and
// clients that connect later wait in the queue for the next process that the manager starts. After Close,
// Activated can return the socket again, in this process too. While it is open, a second call returns
// [ErrInUse].
//
// All passed descriptors are marked close-on-exec. Those that are not sockets, or are bound elsewhere, are
// left to the rest of the program, and so are the variables. It is an error if the variables are invalid,
// or if the socket that is bound to addr cannot be used: another kind of socket, or a connection, as units
// with Accept=yes get.
//
// On Windows it always reports false.
func Activated(addr Address) (l *Listener, ok bool, err error) {
	owner, ok, err := listener.Activated(addr.String())
	if !ok || err != nil {
		return nil, false, err
	}
	return newListener(addr, owner), true, nil
}

// ActivatedAddress returns the address of the Unix domain socket that the service manager has passed under
// a name: FileDescriptorName= of the unit or, without that, the unit's own name, as in "app.socket". So
// the unit can decide where a program listens:
//
//	addr, ok, err := socket.ActivatedAddress("app")
//	…
//	srv, err := runtime.NewServer(addr.String())
//
// It reports false if no socket of that name was passed, as in a program that was started in another way.
// It is an error if several sockets have the name, if there are not as many names as descriptors, or if
// the variables are invalid. On Windows it always reports false.
func ActivatedAddress(name string) (addr Address, ok bool, err error) {
	found, ok, err := listener.ActivatedAddress(name)
	if !ok || err != nil {
		return Address{}, false, err
	}
	addr, err = ParseAddress(found)
	return addr, err == nil, err
}
