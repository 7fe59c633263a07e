// Package socket is the kernel side of udsgrpc: Unix domain socket addresses, and
// claiming, listening on, releasing and dialing them. It knows nothing of gRPC.
//
// A socket file is a name in a directory that other programs can write to as well, so
// most of this package is about names: [Listen] takes a name only when it is free or was
// left behind by a process that is gone, and [Listener.Close] removes it only while it is
// still the one that was bound. Whoever holds a name holds an advisory lock on a file
// beside it (".name.lock", kept for ever), so of any number of processes that start at
// once exactly one wins.
//
// # Platforms
//
// The package is run and tested on Linux. For darwin, freebsd and windows it is compiled
// and vetted only; what cannot hold there is said on the function concerned.
package socket
