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

// hasProtoc reports whether protoc is installed, and with it the .proto files that it comes with:
// Debian has these in a package of their own. In continuous integration both have to be.
func hasProtoc(t *testing.T) bool {
	t.Helper()
	command := exec.Command("protoc", "--descriptor_set_out="+os.DevNull, "google/protobuf/descriptor.proto")
	output, err := command.CombinedOutput()
	if err != nil && os.Getenv("UDSGRPC_CI") == "1" {
		t.Fatalf("UDSGRPC_CI is set, so protoc and its include files must be installed: %v: %s", err, output)
	}
	return err == nil
}
