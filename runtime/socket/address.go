package socket

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxAbstract is the room for an abstract name: the 108 bytes of sun_path less the NUL that marks the name
// as abstract (unix(7)).
const maxAbstract = 107

// Address is where a socket is: an absolute path, or a name in Linux's abstract
// namespace. The zero Address is not valid; [ParseAddress] makes valid ones. Addresses
// are comparable.
type Address struct {
	name     string
	abstract bool
}

// ParseAddress reads the address of a socket. Servers and clients take the same forms:
//
//	/run/app.sock        a path; a relative one starts at the working directory of now
//	unix:app.sock        the same with gRPC's scheme, the path relative or absolute
//	unix:///run/app.sock the same as a URL; the path is absolute
//	@name                a name in the abstract namespace (Linux)
//	unix-abstract:name   the same with gRPC's scheme
//
// Every byte of a path or name stands for itself, including "%", "#", "?" and spaces; nothing is decoded.
// To name a file that begins like one of the other forms, write "./" before it. "unix://app.sock" and
// "unix-abstract://name" are errors: in a URL a host follows the slashes. An address of a network service
// is an error, too: "localhost:50051", ":50051", "dns:…" and the like; and so is a URL of another scheme, such as
// "http://…" and "passthrough:///…".
//
// The error wraps [fs.ErrInvalid] for text that names no socket, and [ErrPathTooLong] for an abstract name
// of over 107 bytes. [Listen] and [Dialer] say how long a path may be.
func ParseAddress(s string) (Address, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return Address{}, invalid(s, "contains a NUL byte, which would end the path early")
	}
	if name, ok := strings.CutPrefix(s, "@"); ok {
		return abstractAddress(s, name)
	}
	if name, ok := strings.CutPrefix(s, "unix-abstract:"); ok {
		if strings.HasPrefix(name, "//") {
			return Address{}, invalid(s, "has slashes after the scheme: write unix-abstract:name")
		}
		return abstractAddress(s, name)
	}
	if isNetworkAddress(s) {
		return Address{}, invalid(s, "is that of a network service, and here are Unix domain sockets only: give the path of one, such as /run/app.sock (a file of such a name is ./"+s+")")
	}
	if isOtherURL(s) {
		return Address{}, invalid(s, "is a URL, and not of the scheme unix: give the path of the socket, such as /run/app.sock, or unix:///run/app.sock")
	}
	path := s
	if p, ok := strings.CutPrefix(s, "unix:"); ok {
		path = p
		if p, ok := strings.CutPrefix(p, "//"); ok {
			if !strings.HasPrefix(p, "/") {
				return Address{}, invalid(s, "names a host, not a path: write unix:path, or unix:///path for an absolute path")
			}
			path = p
		}
	}
	return pathAddress(s, path)
}

// networkSchemes are those of grpc's targets that lead to a network.
var networkSchemes = []string{"dns:", "ipv4:", "ipv6:", "xds:"}

// isNetworkAddress reports whether a path was probably meant as a network address: a host and a port, or a
// target of grpc's.
func isNetworkAddress(s string) bool {
	lower := strings.ToLower(s)
	if slices.ContainsFunc(networkSchemes, func(scheme string) bool { return strings.HasPrefix(lower, scheme) }) {
		return true
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || strings.HasPrefix(s, "unix:") || strings.ContainsRune(filepath.ToSlash(s), '/') {
		return false
	}
	port := s[colon+1:]
	return port != "" && strings.Trim(port, "0123456789") == ""
}

// isOtherURL reports whether a path was probably meant as a URL (RFC 3986), of another scheme than unix. One letter
// is a drive of Windows.
func isOtherURL(s string) bool {
	scheme, _, ok := strings.Cut(s, "://")
	return ok && scheme != "unix" && len(scheme) > 1 && strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

func abstractAddress(given, name string) (Address, error) {
	if name == "" {
		return Address{}, invalid(given, "has no name after the prefix")
	}
	if len(name) > maxAbstract {
		return Address{}, fmt.Errorf("socket address %q: %w: the name has %d bytes, the limit is %d: choose a shorter one",
			given, ErrPathTooLong, len(name), maxAbstract)
	}
	return Address{name: name, abstract: true}, nil
}

func pathAddress(given, path string) (Address, error) {
	if path == "" {
		return Address{}, invalid(given, "is empty: give the path of a socket")
	}
	switch path[strings.LastIndexByte(filepath.ToSlash(path), '/')+1:] {
	case "", ".", "..":
		return Address{}, invalid(given, "names a directory: add the name of the socket file")
	}
	abs, err := absolute(path)
	if err != nil {
		return Address{}, fmt.Errorf("socket address %q: find the working directory: %w", given, err)
	}
	return Address{name: abs}, nil
}

// absolute is filepath.Abs, but leaves ".." to the kernel: after a symbolic link it means the parent of
// the link's target, which the text of the path does not tell.
func absolute(path string) (string, error) {
	if !slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "..") {
		return filepath.Abs(path)
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return wd + string(filepath.Separator) + path, nil
}

func invalid(given, why string) error {
	return fmt.Errorf("socket address %q %s: %w", given, why, fs.ErrInvalid)
}

// String returns the absolute path, or "@" and the name for an abstract address; [ParseAddress]
// reads it back.
func (a Address) String() string {
	if a.abstract {
		return "@" + a.name
	}
	return a.name
}

// IsAbstract reports whether the address is a name in the abstract namespace, which has no
// file and no permissions.
func (a Address) IsAbstract() bool { return a.abstract }

// split returns the directory, with the separator at its end, and the file name of a path
// address.
func (a Address) split() (dir, name string) { return filepath.Split(a.name) }
