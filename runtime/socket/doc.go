// Package socket is the kernel side of udsgrpc: Unix domain socket addresses, and
// claiming, listening on, releasing and dialing them. It knows nothing of gRPC.
//
// A socket file is a name in a directory that other programs can write to as well, so most of this package
// is about names. [Listen] takes a name only when it is free, or when a process that has ended left it
// behind. [Listener.Close] removes it only while it is still the file that was bound. The owner of a name
// holds an advisory lock on a file beside it (".name.lock", never removed), so of any number of processes
// that start at once exactly one succeeds.
//
// # Platforms
//
// The package is run and tested on Linux. For darwin, freebsd and windows it is only compiled and vetted.
// The functions document what cannot be guaranteed there.
package socket
