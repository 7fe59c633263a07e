package layout_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/udsgrpc/udsgrpc"

// mayImport says what the packages at and below each directory may import of this module. Of several
// directories that fit a package, the longest counts. Tests may import more.
var mayImport = map[string][]string{
	"cmd/protoc-gen-go-udsgrpc":    {"generator", "internal/version"},
	"cmd/udsgrpc":                  {"cmd/udsgrpc/internal/...", "internal/inspectwire", "internal/version", "proto/...", "runtime", "runtime/socket"},
	"cmd/udsgrpc/internal":         {},
	"cmd/udsgrpc/internal/capture": {"proto/..."},
	"cmd/udsgrpc/internal/viewer":  {"internal/inspectwire", "proto/...", "runtime/socket"},
	"examples":                     {"examples/...", "proto/...", "runtime", "runtime/socket"}, // with generated code
	"generator":                    {"internal/version", "proto/..."},
	"internal/inspectwire":         {}, // between runtime and cmd/udsgrpc
	"internal/openfile":            {}, // what the messages of proto hold, so below both proto and runtime
	"internal/version":             {},
	"proto":                        {"internal/openfile"},
	"runtime/channelz":             {"runtime"},
	"runtime":                      {"internal/inspectwire", "internal/openfile", "internal/version", "proto/...", "runtime/internal/...", "runtime/socket"},
	"runtime/internal/admission":   {"runtime/internal/descriptors", "runtime/internal/peercred", "runtime/internal/userns"},
	"runtime/internal/childproc":   {"runtime/internal/descriptors", "runtime/internal/listener", "runtime/internal/sockerr"},
	"runtime/internal/clientstate": {"runtime/socket"},
	"runtime/internal/descriptors": {"runtime/internal/sockerr"},
	"runtime/internal/direct":      {"internal/openfile", "runtime/internal/direct/...", "runtime/internal/filewalk", "runtime/internal/methodname", "runtime/internal/ring"},
	"runtime/internal/direct/wire": {},
	"runtime/internal/filewalk":    {"internal/openfile", "proto/...", "runtime/internal/methodname"},
	"runtime/internal/filewatch":   {},
	"runtime/internal/healthcheck": {},
	"runtime/internal/lateconn":    {},
	"runtime/internal/inspect":     {"proto/...", "runtime/internal/methodname", "runtime/internal/redact"},
	"runtime/internal/listener":    {"runtime/internal/filewatch", "runtime/internal/opendir", "runtime/internal/peercred", "runtime/internal/sockerr"},
	"runtime/internal/methodname":  {},
	"runtime/internal/nofiles":     {"runtime/internal/filewalk"},
	"runtime/internal/oldstubs":    {"runtime/internal/methodname"},
	"runtime/internal/opendir":     {"runtime/internal/sockerr", "runtime/internal/userns"},
	"runtime/internal/pathmode":    {},
	"runtime/internal/peek":        {"runtime/internal/sockerr"},
	"runtime/internal/peercred":    {"runtime/internal/sockerr", "runtime/internal/userns"},
	"runtime/internal/redact":      {},
	"runtime/internal/ring":        {},
	"runtime/internal/sdnotify":    {},
	"runtime/internal/sockerr":     {},
	"runtime/internal/userns":      {},
	"runtime/socket":               {"runtime/internal/filewatch", "runtime/internal/listener", "runtime/internal/opendir", "runtime/internal/peercred", "runtime/internal/sockerr", "runtime/internal/userns"},
	"runtime/udstest":              {"runtime"},

	// No program may contain these.
	"internal/layout":              {},
	"internal/protoc-gen-go":       {},
	"internal/testproc":            {},
	"runtime/children":             {},
	"runtime/conformance":          {},
	"runtime/faults":               {},
	"runtime/files":                {},
	"runtime/internal/difftest":    {"runtime"},
	"runtime/internal/fixture":     {},
	"runtime/internal/fixture/gen": {"proto/...", "runtime"},
	"runtime/internal/greetertest": {"examples/greeter/gen/greeter/v1", "internal/testproc", "runtime", "runtime/internal/fixture"},
	"runtime/load":                 {},
	"runtime/peers":                {},
	"runtime/restarts":             {},
	"runtime/viewers":              {},
}

var (
	// onlyForTests are the packages that tests alone import.
	onlyForTests = []string{"internal/layout", "internal/testproc", "runtime/children", "runtime/conformance", "runtime/faults", "runtime/files",
		"runtime/internal/difftest", "runtime/internal/fixture/...", "runtime/internal/greetertest", "runtime/load", "runtime/peers", "runtime/restarts", "runtime/viewers"}
	// withTesting may depend on the package testing: those, and what users' tests import.
	withTesting = append([]string{"runtime/udstest"}, onlyForTests...)
	// withoutGRPC have nothing to do with grpc-go.
	withoutGRPC = []string{"cmd/protoc-gen-go-udsgrpc", "generator", "internal/...", "proto/udsgrpc/v1",
		"runtime/internal/admission", "runtime/internal/childproc", "runtime/internal/descriptors", "runtime/internal/filewatch",
		"runtime/internal/listener", "runtime/internal/methodname", "runtime/internal/opendir", "runtime/internal/pathmode",
		"runtime/internal/peek", "runtime/internal/peercred", "runtime/internal/ring", "runtime/internal/sdnotify", "runtime/internal/sockerr", "runtime/internal/userns", "runtime/socket"}
)

// goPackage is what go list says of a package, without its tests.
type goPackage struct {
	ImportPath    string
	Imports, Deps []string
}

func (p goPackage) dir() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// list returns the packages of the module, and those of the tool's, as they are on a system.
func list(t *testing.T, goos string) (packages []goPackage) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", module+"/...")
	cmd.Dir = root + "/cmd/udsgrpc" // from there both modules are seen
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Wait(); err != nil {
			t.Fatalf("go list: %v", err)
		}
	}()
	for decoder := json.NewDecoder(output); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// fits tells whether one of patterns is the path; "a/..." is a and all that is below it.
func fits(path string, patterns ...string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		dir, tree := strings.CutSuffix(pattern, "/...")
		return path == dir || tree && strings.HasPrefix(path, dir+"/")
	})
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "darwin", "windows", "freebsd"} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			unused := maps.Clone(mayImport)
			for _, p := range list(t, goos) {
				rule := ""
				for dir := range mayImport {
					if fits(p.dir(), dir+"/...") && len(dir) > len(rule) {
						rule = dir
					}
				}
				if rule == "" {
					t.Errorf("%s is new: say in mayImport what it may import", p.dir())
					continue
				}
				delete(unused, rule)
				p.check(t, mayImport[rule])
			}
			for dir := range unused {
				t.Errorf("mayImport has %s, where no package is", dir)
			}
		})
	}
}

func (p goPackage) check(t *testing.T, allowed []string) {
	t.Helper()
	for _, path := range p.Imports {
		dir, own := strings.CutPrefix(path, module+"/")
		switch {
		case !own:
		case fits(dir, onlyForTests...) && !fits(p.dir(), onlyForTests...):
			t.Errorf("%s imports %s, which is for tests alone", p.dir(), dir)
		case !fits(dir, allowed...):
			t.Errorf("%s imports %s; of this module it may import %q", p.dir(), dir, allowed)
		}
	}
	for _, path := range p.Deps {
		switch {
		case path == "testing" && !fits(p.dir(), withTesting...):
			t.Errorf("%s depends on the package testing", p.dir())
		case path == "google.golang.org/grpc" && fits(p.dir(), withoutGRPC...):
			t.Errorf("%s depends on %s", p.dir(), path)
		// It turns channelz on for the whole process, which is for programs to decide.
		case strings.HasPrefix(path, "google.golang.org/grpc/channelz/") && !fits(p.dir(), "runtime/channelz"):
			t.Errorf("%s depends on %s", p.dir(), path)
		}
	}
}
