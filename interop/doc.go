// Package interop holds no code but its tests: a matrix of real clients, servers and bridges
// that meet this project's server and client on a Unix domain socket.
//
//	make interop                      # from the root: install, run all, write docs/interop.md
//	go test ./...                     # all rows whose programs are installed
//	go test -short ./...              # the rows that take little time; make interop SHORT=1 installs for them
//	go test -run 'Matrix/bridges' .   # one part of it
//
// A row whose program is missing is skipped and says so; with UDSGRPC_CI=1 it fails.
package interop
