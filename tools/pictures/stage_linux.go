package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageEnv has the directory of the programs, in the process on the stage.
const stageEnv = "UDSGRPC_PICTURES"

func isOnStage() bool { return os.Getenv(stageEnv) != "" }

// programs are what is built for the stage, by the name under which they run there.
var programs = map[string]struct{ module, path string }{
	"udsgrpc":  {"cmd/udsgrpc", "."},
	"appd":     {".", "./examples/services/server"},
	"greeterd": {".", "./examples/greeter/server"},
	"shopd":    {"tools/pictures", "./caller"},
	"reportd":  {"tools/pictures", "./caller"},
}

// enterStage builds the programs, and runs this one again in namespaces of its own, where it is root and has an
// empty /run.
func enterStage(root, out string) error {
	dir, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, p := range programs {
		build := exec.Command("go", "-C", filepath.Join(root, p.module), "build", "-o", filepath.Join(dir, name), p.path)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	out, err = filepath.Abs(out)
	if err != nil {
		return err
	}
	for range stageAttempts {
		stage := exec.Command("/proc/self/exe", "-out", out)
		stage.Env = []string{stageEnv + "=" + dir, "PATH=" + dir + ":/usr/bin:/bin", "TERM=xterm-256color", "HOME=/", "TMPDIR=/run/tmp"}
		stage.Stdout, stage.Stderr = os.Stdout, os.Stderr
		stage.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			Pdeathsig:   unix.SIGKILL,
		}
		err = stage.Run()
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != exitTaken {
			return err
		}
	}
	return err
}

const (
	// exitTaken is the exit status of a stage on which a program cannot have its process id, because a thread
	// of this program has it. Another stage has other threads.
	exitTaken     = 75
	stageAttempts = 10
)

var errTaken = errors.New("the process id is taken")

const appDir = "/run/app"

// stage are the processes on it.
type stage struct{ programs []*exec.Cmd }

// newStage makes the stage: a server with everything, one without reflection, and one that has died.
func newStage() (_ *stage, err error) {
	for _, m := range []struct{ at, kind string }{{"/proc", "proc"}, {"/run", "tmpfs"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := os.MkdirAll(appDir, 0o755); err != nil {
		return nil, err
	}
	made := new(stage)
	defer func() {
		if err != nil {
			made.end()
		}
	}()
	if err := made.start(412, "appd", appDir+"/app.sock"); err != nil {
		return nil, err
	}
	if err := made.start(418, "greeterd", appDir+"/greeter.sock"); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: appDir + "/old.sock", Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return made, errors.Join(l.Close(), os.Chmod(l.Addr().String(), 0o600))
}

// startCallers starts the programs that call the first server, unless they run.
func (s *stage) startCallers() error {
	if len(s.programs) > 2 {
		return nil
	}
	return errors.Join(s.start(503, "shopd", appDir+"/app.sock"), s.start(509, "reportd", appDir+"/app.sock"))
}

func (s *stage) end() {
	for _, program := range s.programs {
		program.Process.Kill()
		program.Wait()
	}
}

// start starts a program as the process of that id, and returns when it says that it serves, or calls.
func (s *stage) start(pid int, name, path string) error {
	// The kernel gives the next id to the next process, or thread: this one may start one in between.
	for range 100 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return err
		}
		program := exec.Command(name, path)
		stdout, err := program.StdoutPipe()
		if err != nil {
			return err
		}
		if err := program.Start(); err != nil {
			return err
		}
		if program.Process.Pid != pid {
			program.Process.Kill()
			program.Wait()
			continue
		}
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			return fmt.Errorf("%s says nothing: %w", name, err)
		}
		s.programs = append(s.programs, program)
		return nil
	}
	return fmt.Errorf("%s is never process %d: %w", name, pid, errTaken)
}
