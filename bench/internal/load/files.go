package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

// partSize is how large the messages are in which SumMessages sends its data.
const partSize = 1 << 20

// withFiles makes the calls of a [peer.FileClient]. What comes back is checked in every call, as that costs
// next to nothing here.
func withFiles(ctx context.Context, client peer.Client, data []byte, spec Spec) (r Result, err error) {
	c, ok := client.(peer.FileClient)
	if !ok {
		return Result{}, errors.New("the calls of this peer carry no open files")
	}
	if spec.Kind == SumMessages {
		return repeat(ctx, spec, sumMessages(c, data))
	}
	// One file is there before and after all calls: what is measured is that it goes with them.
	f, err := peer.MemoryFile(data)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if spec.Kind == SumMemory {
		return repeat(ctx, spec, sumMemory(c, data, f))
	}
	return repeat(ctx, spec, takeFiles(c, data, slices.Repeat([]*os.File{f}, spec.Files)))
}

func takeFiles(c peer.FileClient, data []byte, files []*os.File) operation {
	return func(ctx context.Context) (time.Time, int, error) {
		back, taken, err := c.Take(ctx, data, files)
		end := time.Now()
		switch {
		case err != nil:
		case !bytes.Equal(back, data):
			err = fmt.Errorf("the echo of %d bytes is wrong", len(data))
		case taken != len(files):
			err = fmt.Errorf("%d open files arrived instead of %d", taken, len(files))
		}
		return end, 1, err
	}
}

func sumMemory(c peer.FileClient, data []byte, f *os.File) operation {
	want := peer.Sum(data)
	return func(ctx context.Context) (time.Time, int, error) {
		sum, size, err := c.SumMemory(ctx, f)
		return time.Now(), 1, checkSum(sum, want, size, len(data), err)
	}
}

func sumMessages(c peer.FileClient, data []byte) operation {
	want := peer.Sum(data)
	return func(ctx context.Context) (time.Time, int, error) {
		sum, size, err := c.SumMessages(ctx, data, partSize)
		return time.Now(), 1, checkSum(sum, want, size, len(data), err)
	}
}

func checkSum(sum, want, bytes uint64, size int, err error) error {
	if err == nil && (sum != want || bytes != uint64(size)) {
		err = fmt.Errorf("the sum of %d bytes is %#x instead of %#x of %d", bytes, sum, want, size)
	}
	return err
}
