package peer

import (
	"context"
	"os"
)

// FilePeer is a peer whose calls carry open files. Its clients are [FileClient]s.
type FilePeer interface {
	Peer

	// ListenFiles is Listen for a server of one Bench service that has the Files service too.
	ListenFiles(path string) (*Server, error)
}

// FileClient also makes the calls of the Files service. Only Take may be called concurrently.
type FileClient interface {
	Client

	// Take sends open files along with data. The server takes and closes them. It returns the data
	// that came back, and how many files the server says it got.
	Take(ctx context.Context, data []byte, files []*os.File) (back []byte, taken int, err error)

	// SumMemory has the server add up what is in a sealed memory file, as [Sum] does. It returns the
	// sum, and how many bytes the server says it is of.
	SumMemory(ctx context.Context, memory *os.File) (sum, bytes uint64, err error)

	// SumMessages has the server add up the same data, sent in messages of size bytes.
	SumMessages(ctx context.Context, data []byte, size int) (sum, bytes uint64, err error)
}

// The workloads that only a FilePeer does.
const (
	FilesWorkload  = "files"
	MemoryWorkload = "memory"
)

// Why peers do not do them.
const (
	bytesOnly      = "its calls carry bytes only, no open files"
	filesAreDirect = "open files go over the direct transport only"
)

// withoutFiles is what a peer lacks whose calls carry no open files; nothing if why is empty.
func withoutFiles(why string) map[string]string {
	return map[string]string{FilesWorkload: why, MemoryWorkload: why}
}
