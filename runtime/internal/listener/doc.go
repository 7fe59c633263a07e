// Package listener claims the path of a socket and listens on it, gives the path up, and moves it from one
// process to another: what package socket offers to programs, and besides that what only a server of
// package runtime needs.
//
// It is below package socket, which has the types that programs see and their documentation. If socket had
// the listener itself, it would have to export what a server does to it, to everybody. An alias would do
// the same, and hides the documentation.
//
// The parameter addr of its functions is an address as socket.Address.String returns it: an absolute path,
// or "@" and a name in Linux's abstract namespace.
package listener
