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
	stage := exec.Command("/proc/self/exe", "-out", out)
	stage.Env = []string{stageEnv + "=" + dir, "PATH=" + dir + ":/usr/bin:/bin", "TERM=xterm-256color", "HOME=/", "TMPDIR=/run/tmp"}
	stage.Stdout, stage.Stderr = os.Stdout, os.Stderr
	stage.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
	}
	return stage.Run()
}

const appDir = "/run/app"

// startServers makes the stage: a server with everything, one without reflection, and one that has died.
func startServers() (end func(), err error) {
	for _, m := range []struct{ at, kind string }{{"/proc", "proc"}, {"/run", "tmpfs"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := os.MkdirAll(appDir, 0o755); err != nil {
		return nil, err
	}
	var servers []*exec.Cmd
	end = func() {
		for _, server := range servers {
			server.Process.Kill()
			server.Wait()
		}
	}
	for i, name := range []string{"appd", "greeterd"} {
		server, err := startServer(412+6*i, name, filepath.Join(appDir, name[:len(name)-1]+".sock"))
		if err != nil {
			end()
			return nil, err
		}
		servers = append(servers, server)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(appDir, "old.sock"), Net: "unix"})
	if err != nil {
		end()
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return end, errors.Join(l.Close(), os.Chmod(l.Addr().String(), 0o600))
}

// startServer starts a server as the process of that id, and returns when it serves.
func startServer(pid int, name, path string) (*exec.Cmd, error) {
	// The kernel gives the next id to the next process, or thread: this one may start one in between.
	for range 100 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return nil, err
		}
		server := exec.Command(name, path)
		stdout, err := server.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := server.Start(); err != nil {
			return nil, err
		}
		if server.Process.Pid != pid {
			server.Process.Kill()
			server.Wait()
			continue
		}
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			return nil, fmt.Errorf("%s says nothing: %w", name, err)
		}
		return server, nil
	}
	return nil, fmt.Errorf("%s is never process %d", name, pid)
}
