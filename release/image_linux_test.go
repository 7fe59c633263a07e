package release_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

// TestImageAnswersARequest builds the image as Dockerfile says, and runs it as a registry does: by
// its entry point, as its user, with a request on standard input.
func TestImageAnswersARequest(t *testing.T) {
	t.Parallel()
	testproc.Tool(t, "buildah", "buildah")
	binaries := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-o", binaries+"/", "./cmd/protoc-gen-go-udsgrpc")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	run(t, build)

	storage := newStorage(t)
	run(t, storage.buildah("build", "--quiet", "--isolation=chroot", "--platform=linux/amd64", "--tag=udsgrpc-go",
		"--file=buf/Dockerfile", binaries))
	container := strings.TrimSpace(run(t, storage.buildah("from", "udsgrpc-go")))

	var image struct {
		OCIv1 struct {
			Architecture, OS string
			Config           struct {
				User       string
				Entrypoint []string
			}
		}
	}
	if err := json.Unmarshal([]byte(run(t, storage.buildah("inspect", container))), &image); err != nil {
		t.Fatal(err)
	}
	if image.OCIv1.OS != "linux" || image.OCIv1.Architecture != "amd64" {
		t.Errorf("the image is for %s/%s; buf's registry takes linux/amd64", image.OCIv1.OS, image.OCIv1.Architecture)
	}
	config := image.OCIv1.Config
	if user, _, _ := strings.Cut(config.User, ":"); strings.Trim(user, "123456789") == user {
		t.Errorf("the image runs as user %q, want a number other than 0", config.User)
	}

	args := append([]string{"run", "--isolation=chroot", container, "--"}, config.Entrypoint...)
	command := storage.buildah(args...)
	request, err := proto.Marshal(greeterRequest())
	if err != nil {
		t.Fatal(err)
	}
	command.Stdin = bytes.NewReader(request)
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal([]byte(run(t, command)), response); err != nil {
		t.Fatal(err)
	}
	if response.GetError() != "" || len(response.File) != 1 ||
		!strings.Contains(response.File[0].GetContent(), "func NewGreeterUDSServer(") {
		t.Errorf("the answer is %v, want one file with NewGreeterUDSServer", response)
	}
}

// A storage is a place of the test's own for images and containers.
type storage struct{ root, state string }

func newStorage(t *testing.T) storage {
	t.Helper()
	dir := t.TempDir()
	return storage{root: filepath.Join(dir, "root"), state: filepath.Join(dir, "state")}
}

func (s storage) buildah(args ...string) *exec.Cmd {
	return exec.Command("buildah", append([]string{"--storage-driver=vfs", "--root=" + s.root, "--runroot=" + s.state}, args...)...)
}

// run returns the standard output of command, which must succeed.
func run(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, &stderr)
	}
	return stdout.String()
}

func greeterRequest() *pluginpb.CodeGeneratorRequest {
	return &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{"greeter.proto"},
		ProtoFile: []*descriptorpb.FileDescriptorProto{{
			Name:    new("greeter.proto"),
			Package: new("a"),
			Options: &descriptorpb.FileOptions{GoPackage: new("example.com/a")},
			Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("Greeter")}},
		}},
	}
}
