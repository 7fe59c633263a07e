package peer_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udsgrpc/udsgrpc/bench/internal/peer"
)

func TestPeersLackFilesUnlessTheirCallsCarryThem(t *testing.T) {
	for _, p := range slices.Concat(peer.All(), peer.Settings()) {
		about := p.About()
		_, carries := p.(peer.FilePeer)
		for _, workload := range []string{peer.FilesWorkload, peer.MemoryWorkload} {
			if why := about.Lack(workload); carries != (why == "") {
				t.Errorf("%s lacks %s because %q, but carries files: %v", about.Name, workload, why, carries)
			}
		}
	}
}

func TestMemoryThatCanShrinkIsNotMapped(t *testing.T) {
	p, _ := peer.Find("udsgrpc")
	srv, err := p.(peer.FilePeer).ListenFiles(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	client, err := p.Dial(t.Context(), srv.Addr, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	data := peer.Payload(1 << 20)
	sealed, err := peer.MemoryFile(data)
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	sum, size, err := client.(peer.FileClient).SumMemory(t.Context(), sealed)
	if err != nil || sum != peer.Sum(data) || size != 1<<20 {
		t.Errorf("got %#x of %d bytes, %v", sum, size, err)
	}
	ordinary, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("unsealed", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{ordinary, os.NewFile(uintptr(fd), "an unsealed memory file")} {
		defer f.Close()
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.(peer.FileClient).SumMemory(t.Context(), f); err == nil {
			t.Errorf("%s can shrink, but was mapped", f.Name())
		}
	}
}
