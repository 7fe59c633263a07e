package load_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
)

// callAndRest is a program: it makes calls on several connections at once, keeps those open, and does nothing more.
func callAndRest(args []string) error {
	client, conn, err := greeterv1.DialGreeterUDS(args[0])
	if err != nil {
		return err
	}
	const conns = 5
	done := make(chan error, conns)
	for range conns {
		go func() {
			for range 200 {
				if _, err := client.Greet(context.Background(), &greeterv1.GreetRequest{}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range conns {
		if err := <-done; err != nil {
			return err
		}
	}
	fmt.Println(conn.Stats().Rings)
	return testproc.WaitForKill()
}

// switches returns how often the threads of a process have gone to sleep.
func switches(t *testing.T, pid int) (n int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads of process %d, %v", pid, err)
	}
	for _, name := range threads {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(b), "\nvoluntary_ctxt_switches:")
		var of int
		if _, err := fmt.Sscan(after, &of); err != nil {
			t.Fatal(err)
		}
		n += of
	}
	return n
}

// Connections with rings that carry no calls wake nobody, at either end: nobody looks into their memory, and no timer
// is for them.
func TestIdleRingsWakeNobody(t *testing.T) {
	t.Parallel()
	// A server also watches the directory above that of its socket. Other tests make files in the temporary one.
	dir := filepath.Join(fixture.ShortDir(t), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.sock")
	server := testproc.Start(t, "greeter", path)
	server.Line()
	client := testproc.Start(t, "call and rest", path)
	if moved := client.Line(); direct.RingsAtOnce.Load() && moved == "0" {
		t.Error("there are no rings")
	}
	for name, pid := range map[string]int{"server": server.Process.Pid, "client": client.Process.Pid} {
		// Go's own threads come to rest after a moment, and are few afterwards.
		const while, most = 500 * time.Millisecond, 5
		woken := most + 1
		for begin := time.Now(); woken > most && time.Since(begin) < fixture.Guard; {
			before := switches(t, pid)
			<-time.After(while)
			woken = switches(t, pid) - before
		}
		if woken > most {
			t.Errorf("the threads of the %s sleep %d times in %v", name, woken, while)
		}
	}
}
