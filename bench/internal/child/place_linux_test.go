package child

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAChildHasItsPlaceAndTheParentKeepsItsOwn(t *testing.T) {
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command("sh", "-c", "nproc; echo $GOMAXPROCS")
	cmd.Stdout = &out
	if err := (Place{Cores: 1, Procs: 3}).start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(out.String()); len(got) != 2 || got[0] != "1" || got[1] != "3" {
		t.Errorf("the child has cores and GOMAXPROCS %q, want 1 and 3", got)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || before != after {
		t.Errorf("the parent had the cores %v and has %v, %v", before, after, err)
	}
}
