package interop

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// compileCPP compiles the C++ client and returns its path.
func (c *cell) compileCPP() string {
	c.Helper()
	protoc := c.need("protoc", "protobuf-compiler")
	plugin := c.need("grpc_cpp_plugin", "protobuf-compiler-grpc")
	compiler := c.need("g++", "g++")
	pkgConfig := c.need("pkg-config", "pkg-config")
	flags, err := exec.CommandContext(soon(c), pkgConfig, "--cflags", "--libs", "grpc++", "protobuf").Output()
	if err != nil {
		c.missing("libgrpc++ or protobuf's headers are missing: install Debian's packages libgrpc++-dev and libprotobuf-dev, as install.sh does")
	}
	c.version = strings.TrimSpace(c.output(exec.CommandContext(soon(c), pkgConfig, "--modversion", "grpc++")))

	out := dir(c)
	generate := []string{"--descriptor_set_in=" + c.descriptors(), "--plugin=protoc-gen-grpc=" + plugin,
		"--cpp_out=" + out, "--grpc_out=" + out}
	names := []string{"empty", "messages", "test"}
	sources := []string{"cpp/client.cc"}
	for _, name := range names {
		generate = append(generate, "grpc/testing/"+name+".proto")
		sources = append(sources, filepath.Join(out, "grpc/testing", name+".pb.cc"))
	}
	sources = append(sources, filepath.Join(out, "grpc/testing/test.grpc.pb.cc"))
	c.output(exec.CommandContext(soon(c), protoc, generate...))

	client := filepath.Join(out, "client")
	args := append([]string{"-std=c++17", "-O0", "-I", out, "-o", client}, sources...)
	// Not under the deadline of what takes seconds: a compiler takes what it takes.
	c.output(exec.CommandContext(c.Context(), compiler, append(args, strings.Fields(string(flags))...)...))
	return client
}
