package docs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// driver is what the shell of a sandbox runs. It evaluates one script after the other from
// descriptor 3, and writes to descriptor 4 with what status each ended, and which process it last
// started in the background. A script has neither descriptor.
//
// The file that is its argument has the line that a script is at, and the command there.
const driver = `
set -u -o pipefail
__trace=$1 __line=0
trap 'printf "(line %d: %s)\n" "$((LINENO - __line))" "$BASH_COMMAND" >|"$__trace"' DEBUG
while IFS= read -r -d '' -u 3 __script; do
	__line=$LINENO
	eval "$__script" 3<&- 4>&-
	echo "$? ${!-0}" >&4
	set +e
	trap - ERR
done`

// driverDescriptors are those of the driver.
var driverDescriptors = []int{3, 4}

// shell is a running bash in a sandbox. Its working directory, variables and background processes
// stay from one script to the next.
type shell struct {
	cmd        *exec.Cmd
	scripts    *os.File
	statuses   *os.File
	status     *bufio.Scanner
	output     *os.File // a file, not a pipe, so that what a background process says waits for nobody
	background int      // process id of the last one
	at         string   // at which line a script was when ctx ended
	group      *cgroup  // nil without systemd
}

// startShell starts the shell of a new sandbox, for no longer than ctx.
func startShell(ctx context.Context, s *sandbox) (_ *shell, err error) {
	description, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	scriptsRead, scripts, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer scriptsRead.Close()
	statuses, statusesWrite, err := os.Pipe()
	if err != nil {
		scripts.Close()
		return nil, err
	}
	defer statusesWrite.Close()
	sh := &shell{scripts: scripts, statuses: statuses, status: bufio.NewScanner(statuses)}
	defer func() {
		if err != nil {
			err = errors.Join(err, sh.close())
		}
	}()
	if sh.output, err = os.CreateTemp("", "udsgrpc-docs-*"); err != nil {
		return nil, err
	}
	// Only its descriptor is needed, and no end of the process then leaves it behind.
	if err := os.Remove(sh.output.Name()); err != nil {
		return nil, err
	}

	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), sandboxVariable+"="+string(description))
	cmd.SysProcAttr = namespaces()
	if s.Systemd {
		if os.Geteuid() != 0 {
			return nil, fmt.Errorf("%w: only root can have systemd as a manager", errNoSandbox)
		}
		if _, err := os.Stat(systemd); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoSandbox, err)
		}
		if sh.group, err = newCgroup(); err != nil {
			return nil, err
		}
		sh.group.hold(cmd.SysProcAttr)
	}
	cmd.Cancel = func() error {
		// The file system of the sandbox goes with its first process.
		trace, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "root", s.trace()))
		sh.at = strings.TrimSpace(string(trace))
		return errors.Join(err, cmd.Process.Kill())
	}
	cmd.Stdout, cmd.Stderr = sh.output, sh.output
	cmd.ExtraFiles = []*os.File{scriptsRead, statusesWrite}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSandbox, err)
	}
	sh.cmd = cmd
	statusesWrite.Close() // so that the end of the shell is the end of the statuses

	first := ":"
	if s.Systemd {
		first = awaitSystemd
	}
	if _, err = sh.run(first); err == nil {
		return sh, nil
	}
	said, _ := sh.written(0)
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == notPermitted {
		return nil, fmt.Errorf("%w: %s", errNoSandbox, said)
	}
	return nil, fmt.Errorf("start the shell of a sandbox: %w: %s", err, said)
}

// run evaluates a script and returns the status that it ends with. The error is an
// [exec.ExitError] if the shell ended with it.
func (sh *shell) run(script string) (status int, err error) {
	if strings.Contains(script, "\x00") {
		return 0, errors.New("a script cannot have a NUL byte")
	}
	_, err = io.WriteString(sh.scripts, script+"\x00")
	if err == nil && sh.status.Scan() {
		_, err := fmt.Sscan(sh.status.Text(), &status, &sh.background)
		return status, err
	}
	if sh.group != nil {
		_ = sh.cmd.Process.Kill() // systemd does not end with the shell
	}
	if err := sh.cmd.Wait(); err != nil {
		return 0, err
	}
	return 0, errors.New("the script ends the shell")
}

// offset returns where the output of the next script begins.
func (sh *shell) offset() (int64, error) {
	info, err := sh.output.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// written returns the output since offset.
func (sh *shell) written(offset int64) (string, error) {
	b, err := io.ReadAll(io.NewSectionReader(sh.output, offset, 1<<62))
	return string(b), err
}

// close ends the shell and, with it, everything in its sandbox.
func (sh *shell) close() error {
	if sh.cmd != nil && sh.cmd.ProcessState == nil {
		_ = sh.cmd.Process.Kill()
		_ = sh.cmd.Wait() // it has been killed
	}
	for _, f := range []*os.File{sh.scripts, sh.statuses, sh.output} {
		if f != nil {
			f.Close()
		}
	}
	if sh.group != nil {
		return sh.group.remove()
	}
	return nil
}

// quote makes one word of the shell of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// strict makes a script end the shell at the first command that fails, which it names.
func strict(script string) string {
	return `set -e; trap 'printf "(status %d: %s)\n" "$?" "$BASH_COMMAND"' ERR; ` + script
}

// writeFile is a script.
func writeFile(path, content string) string {
	return "mkdir -p -- \"$(dirname -- " + quote(path) + ")\" && printf %s " + quote(content) + " > " + quote(path)
}
