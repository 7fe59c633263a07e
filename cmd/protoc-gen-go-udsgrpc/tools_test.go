package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buf returns the path of the buf that the tools module pins. Go builds it when there is none.
func buf(t *testing.T) string {
	t.Helper()
	command := exec.Command("go", "tool", "-n", "-modfile=tools/buf.mod", "buf")
	command.Dir = filepath.Join("..", "..")
	command.Env = append(os.Environ(), "GOWORK=off")
	command.Stderr = t.Output()
	output, err := command.Output()
	if err != nil {
		t.Fatalf("build buf: %v", err)
	}
	return strings.TrimSpace(string(output))
}

// hasProtoc reports whether protoc is installed. In continuous integration it has to be.
func hasProtoc(t *testing.T) bool {
	t.Helper()
	_, err := exec.LookPath("protoc")
	if err != nil && os.Getenv("UDSGRPC_CI") == "1" {
		t.Fatalf("UDSGRPC_CI is set, so protoc must be installed: %v", err)
	}
	return err == nil
}
