package sockets_test

import (
	"context"
	"io/fs"
	"net"
	"path/filepath"
	"testing"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/sockets"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

func TestWalkEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := testproc.OpenDir(t)
	for _, name := range []string{"a", "b", "c"} {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	for most, want := range map[int]int{1: 1, 4: 3} {
		ctx, end := context.WithCancel(t.Context())
		found := 0
		err := sockets.Walk(ctx, dir, sockets.Unlimited, func(string, fs.FileInfo) {
			if found++; found == most {
				end()
			}
		})
		end()
		if err != nil || found != want {
			t.Errorf("it is ended after %d of 3, and found %d: %v", most, found, err)
		}
	}
}
