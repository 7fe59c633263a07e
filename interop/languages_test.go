package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

// language is a gRPC library of another language, with programs that use it at either end.
type language struct {
	name           string // as its users know it
	slow           bool
	client, server func(c *cell) program

	cannotDial  []string // kinds of paths
	refusesPath bool     // its server wants no path as :authority
	fastServer  string   // why its own server is faster than this project's
	noKeepalive bool     // its client has no setting for it
	lateReply   string   // its client's error, besides Canceled, when a deadline has passed before the call is sent

	// What its client, and this project's client of its server, says of cases that go otherwise than most.
	odd, oddAsServer map[string]string
	// Codes, or exceptions, other than Unavailable that its client meets while there is no server, and that
	// this project's client gets from its server.
	restartCodes, restartCodesAsServer []string
	lostInTakeovers                    bool // its client loses calls
	// How its server ends streams when it is told to stop, and its client when this project's server is.
	cutsStreams, cutByDrains string
}

// program returns a command that serves on or dials a path, as the other arguments say. Clients understand
//
//	[CASE...]                run the cases, grpc's if none is named, and print "ok CASE" or "failed CASE: why"
//	load CALLERS             see startLoad
//	hold KEEPALIVE_MILLIS    see startHold
type program func(ctx context.Context, path string, args ...string) *exec.Cmd

// languages are those whose users have Unix sockets, but for the few of which a row of its own is enough.
func languages() []language {
	return []language{
		{
			name: "grpcio", client: python("client_grpcio.py"), server: python("server_grpcio.py"),
			cannotDial: urlOrComma, restartCodesAsServer: []string{"1"},
		},
		{
			name: "grpcio, asyncio", client: python("client_grpcio_aio.py"), server: python("server_grpcio_aio.py"),
			cannotDial: urlOrComma, restartCodesAsServer: []string{"1"}, lateReply: "got code 13, want 4: Internal error from Core",
		},
		{
			name: "grpclib", client: python("client_grpclib.py"), server: python("server_grpclib.py"),
			cannotDial: []string{"over 107 bytes"}, noKeepalive: true,
			odd: map[string]string{
				"compressed":     "grpclib does not compress",
				"reply_of_5_mib": "the call succeeded",
			},
			oddAsServer: map[string]string{
				"unimplemented_method":  "missing HTTP content-type",
				"unimplemented_service": "Unknown, want _, Unimplemented",
				"compressed":            "Internal Server Error",
				"request_of_5_mib":      "got code OK",
			},
			lostInTakeovers: true, restartCodes: []string{"StreamTerminatedError", "FileNotFoundError", "ConnectionRefusedError"},
			cutsStreams: "Unavailable desc = error reading from server", cutByDrains: "StreamTerminatedError",
		},
		{
			name: "python3-grpcio", slow: true,
			client: debianPython("client_grpcio.py"), server: debianPython("server_grpcio.py"),
			cannotDial: urlOrComma, restartCodesAsServer: []string{"1"},
		},
		{
			name: "tonic", client: rust("client"), server: rust("server"),
			fastServer: "this project's server speaks HTTP/2 with grpc-go, which is no faster alone, as its numbers say. A call passes through three " +
				"goroutines there, which read, handle and write it, and Go's scheduler wakes threads on other cores for them. In a profile under " +
				"one caller 23 % choose the next goroutine, 11 % read and write the socket, 8 % grow the stack of a new goroutine for each call, and " +
				"8 % are the goroutine that writes; under 64 callers 15 % grow stacks, 15 % allocate, 9 % collect garbage and 8 % choose " +
				"goroutines. This project's own functions have under 1 % without what they call. On one core (GOMAXPROCS=1) the same server is 1.3 " +
				"times as fast with one caller, near tonic's own, and 1.1 times with 64. Tried, in pairs: read buffers of 128 KiB, and write buffers " +
				"that are not shared, change nothing; no write buffers cost a tenth; grpc.NumStreamWorkers gains up to 8 %, and is not used, as it " +
				"is experimental, and calls would share goroutines, with the threads that handlers lock and the labels that they set.",
			cannotDial: []string{"over 107 bytes"}, refusesPath: true,
			odd: map[string]string{
				"reply_of_5_mib": "got code 11, want 8", // OutOfRange
			},
			lostInTakeovers: true, restartCodes: []string{"1", "13"},
			oddAsServer: map[string]string{
				"request_of_5_mib": "got code OutOfRange",
			},
		},
		{
			name: "grpc-java", client: java("Client"), server: java("Server"),
			cannotDial: []string{"`ü`", "over 107 bytes"},
		},
		{
			name: "@grpc/grpc-js", client: node("grpc-client.js"), server: node("grpc-server.js"),
			cannotDial: []string{"over 107 bytes"}, refusesPath: true,
		},
	}
}

// urlOrComma are the paths that gRPC's core, of which Python, C++ and others are, takes for something else.
var urlOrComma = []string{"`,`", "`%41`", "`#`", "`?`", "over 107 bytes"}

// cache returns the folder where install.sh puts what is not of Debian, and where compilers keep what
// can be used again, also by another clone of this repository.
func (c *cell) cache(language string) string {
	c.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		c.Fatalf("%v", err)
	}
	return filepath.Join(dir, "udsgrpc-interop", language)
}
