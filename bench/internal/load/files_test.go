package load_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// lossy is a client whose last open file does not arrive.
type lossy struct{ wrong }

func (l lossy) Take(ctx context.Context, data []byte, files []*os.File) (back []byte, taken int, err error) {
	return l.wrong.Take(ctx, data, files[:max(len(files)-1, 0)])
}

func TestMissingFilesAreNoticed(t *testing.T) {
	for files, want := range map[int]string{0: "", 1: "0 open files arrived instead of 1", 16: "15 open files arrived instead of 16"} {
		_, err := load.Run(t.Context(), load.Target{Client: lossy{wrong{same}}}, load.Spec{Kind: load.Files, Size: 64, Files: files})
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%d files: got %v, want %q", files, err, want)
		}
	}
}

func TestFilesOfAClientThatCannotSendThem(t *testing.T) {
	bytesOnly := struct{ peer.Client }{wrong{same}}
	_, err := load.Run(t.Context(), load.Target{Client: bytesOnly}, load.Spec{Kind: load.Files, Size: 64})
	if err == nil || !strings.Contains(err.Error(), "no open files") {
		t.Errorf("got %v", err)
	}
}
