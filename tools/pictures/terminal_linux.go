package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// patience is how long a command may take.
const patience = time.Minute

// record runs the command of a picture in a terminal, and returns its screen as SVG.
func record(p picture) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(p.rows), Cols: uint16(p.columns)})
	if err != nil {
		return nil, err
	}
	defer terminal.Close()
	emulator := vt.NewEmulator(p.columns, p.rows)
	if p.until == "" { // what fills the screen has no line before it
		if _, err := emulator.WriteString("\x1b[2m$\x1b[0m \x1b[1m" + strings.Join(p.command, " ") + "\x1b[0m\r\n"); err != nil {
			return nil, err
		}
	}
	// What the program asks the terminal for. It ends with the emulator.
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		io.Copy(terminal, emulator)
	}()
	defer func() {
		emulator.Close()
		<-answered
	}()
	found := false
	for buf := make([]byte, 32<<10); !found; {
		n, err := terminal.Read(buf)
		if _, err := emulator.Write(buf[:n]); err != nil {
			return nil, err
		}
		if err != nil {
			// Linux says EIO when the program has closed its end.
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) {
				return nil, err
			}
			break
		}
		found = p.until != "" && strings.Contains(emulator.String(), p.until)
	}
	screen := svg(emulator, p.columns, p.rows)
	if found {
		cmd.Process.Kill()
		cmd.Wait()
		return screen, nil
	}
	if err := cmd.Wait(); err != nil {
		return nil, err
	}
	if p.until != "" {
		return nil, errors.New("it ended without " + p.until)
	}
	return screen, nil
}
