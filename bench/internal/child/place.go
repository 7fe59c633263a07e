package child

import (
	"fmt"
	"os/exec"
)

// Place says which part of the machine a child has. The zero value is all of it.
type Place struct {
	Cores int // how many cores; the same for all children with the same number. 0 for all
	Procs int // GOMAXPROCS; 0 for what Go chooses
}

// start starts cmd in the place.
func (p Place) start(cmd *exec.Cmd) error {
	if p.Procs > 0 {
		cmd.Env = append(cmd.Environ(), fmt.Sprintf("GOMAXPROCS=%d", p.Procs))
	}
	if p.Cores > 0 {
		return startOnCores(cmd, p.Cores)
	}
	return cmd.Start()
}
