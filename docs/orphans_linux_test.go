package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const hangVariable = "UDSGRPC_DOCS_HANG"

// What runs in a sandbox ends with the tests, even if they are killed.
func TestSandboxDoesNotOutliveTheTests(t *testing.T) {
	if seconds := os.Getenv(hangVariable); seconds != "" {
		_, err := check(t, "```sh\nexec sleep "+seconds+"\n```\n")
		t.Fatal(err) // not before it is killed
	}

	t.Parallel()
	seconds := fmt.Sprint(100_000 + os.Getpid()) // a process that is easy to tell from others
	tests := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	tests.Env = append(os.Environ(), hangVariable+"="+seconds)
	if err := tests.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- tests.Wait() }()
	await(t, "to run", func() bool { return runs(t, "sleep", seconds) || len(ended) > 0 })
	if len(ended) > 0 {
		t.Skip("there is no sandbox here, which other tests report")
	}
	if err := tests.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	await(t, "to end", func() bool { return !runs(t, "sleep", seconds) })
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for the process in the sandbox %s", patience, what)
		}
	}
}

// runs tells whether a process with that command line runs.
func runs(t *testing.T, command ...string) bool {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		// A process may have ended meanwhile.
		if b, err := os.ReadFile(line); err == nil && string(b) == strings.Join(command, "\x00")+"\x00" {
			return true
		}
	}
	return false
}
