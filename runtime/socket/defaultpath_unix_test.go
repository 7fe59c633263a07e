//go:build unix

package socket_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// nameEnv makes TestDefaultPathOfAnotherProcess the program that tells the path for a name.
const nameEnv = "UDSGRPC_TEST_DEFAULT_PATH"

func TestDefaultPathOfAnotherProcess(t *testing.T) {
	name, isChild := os.LookupEnv(nameEnv)
	if !isChild {
		t.Skip("it is run by other tests")
	}
	path, err := socket.DefaultPath(name)
	if err == nil {
		fmt.Println("path:", path)
		return
	}
	for is, kind := range map[error]string{
		socket.ErrUnsafeDir: "unsafe", fs.ErrInvalid: "invalid", fs.ErrNotExist: "missing", fs.ErrPermission: "permission",
	} {
		if errors.Is(err, is) {
			fmt.Printf("%s: %v\n", kind, err)
			return
		}
	}
	fmt.Println("error:", err)
}

// defaultPathIn returns the path that a process of a user who is not root gets, or its error, after
// the name of its kind. Both variables are unset unless env sets them.
func defaultPathIn(t *testing.T, name string, env ...string) string {
	t.Helper()
	return defaultPathAs(t, plainUser(), name, env...)
}

func defaultPathAs(t *testing.T, uid int, name string, env ...string) string {
	t.Helper()
	cmd := testproc.Command(t, "", "-test.run=^TestDefaultPathOfAnotherProcess$", "-test.v=false")
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "UDSGRPC_TEST_PROGRAM" || name == "XDG_RUNTIME_DIR" || name == "TMPDIR"
	})
	cmd.Env = append(append(cmd.Env, nameEnv+"="+name), env...)
	if uid != os.Geteuid() {
		runAs(cmd, uint32(uid))
	}
	return testproc.StartCmd(t, cmd).Line()
}

// plainUser is the user of the test or, for root, another one.
func plainUser() int {
	if os.Geteuid() == 0 {
		return 1234
	}
	return os.Geteuid()
}

// makeDir makes a directory with a mode, for a user.
func makeDir(t *testing.T, path string, uid int, mode os.FileMode) string {
	t.Helper()
	if uid != os.Geteuid() && os.Geteuid() != 0 {
		t.Skip("giving a directory away takes root")
	}
	err := cmp.Or(os.Mkdir(path, 0o700), os.Chown(path, uid, -1), os.Chmod(path, mode))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// everyonesDir returns a directory like /tmp.
func everyonesDir(t *testing.T) string {
	t.Helper()
	dir := fixture.ShortDir(t)
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkPrefix(t *testing.T, got, want string) {
	t.Helper()
	if !strings.HasPrefix(got, want) {
		t.Errorf("%q; want it to begin with %q", got, want)
	}
}

func TestDefaultPathIsInTheRuntimeDirIfThatIsPrivate(t *testing.T) {
	t.Parallel()
	uid := plainUser()
	for name, c := range map[string]struct {
		uid  int
		mode os.FileMode
		want string
	}{
		"private":          {uid, 0o700, "path: "},
		"readable":         {uid, 0o755, "unsafe: "},
		"for a group":      {uid, 0o770, "unsafe: "},
		"not writable":     {uid, 0o500, "unsafe: "},
		"of somebody else": {uid + 1, 0o700, "unsafe: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := everyonesDir(t)
			dir := makeDir(t, filepath.Join(tmp, "run"), c.uid, c.mode)
			env := []string{"XDG_RUNTIME_DIR=" + dir, "TMPDIR=" + tmp}
			got := defaultPathIn(t, "app", env...)
			if c.want != "path: " {
				checkPrefix(t, got, c.want)
				if !strings.Contains(got, "XDG_RUNTIME_DIR") || !strings.Contains(got, dir) {
					t.Errorf("it does not say where: %s", got)
				}
				fixture.CheckMissing(t, filepath.Join(tmp, "udsgrpc-"+strconv.Itoa(uid)))
				return
			}
			for name, file := range map[string]string{
				"app": "app.sock", "app.sock": "app.sock", "com.example.App-1_2": "com.example.App-1_2.sock", "..app": "..app.sock",
			} {
				if got, want := defaultPathIn(t, name, env...), "path: "+dir+"/"+file; got != want {
					t.Errorf("for %s: %q, want %q", name, got, want)
				}
			}
			link := filepath.Join(tmp, "link")
			if err := os.Symlink(dir, link); err != nil {
				t.Fatal(err)
			}
			for _, value := range []string{link, link + "/"} {
				if got, want := defaultPathIn(t, "app", "XDG_RUNTIME_DIR="+value), "path: "+link+"/app.sock"; got != want {
					t.Errorf("through a link: %q, want %q", got, want)
				}
			}
		})
	}
}

func TestRuntimeDirThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	dir := everyonesDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"relative":                      "invalid: ",
		filepath.Join(dir, "missing"):   "missing: ",
		file:                            "error: ",
		filepath.Join(dir, "file", "x"): "error: ",
	} {
		got := defaultPathIn(t, "app", "XDG_RUNTIME_DIR="+value, "TMPDIR="+dir)
		checkPrefix(t, got, want)
		if !strings.Contains(got, "XDG_RUNTIME_DIR") {
			t.Errorf("it does not name the variable: %s", got)
		}
	}
}

func TestDefaultPathIsElseInAPrivateDirThatIsMade(t *testing.T) {
	t.Parallel()
	tmp := everyonesDir(t)
	dir := filepath.Join(tmp, "udsgrpc-"+strconv.Itoa(plainUser()))
	for range 2 { // server and client
		// An empty variable counts as none.
		if got, want := defaultPathIn(t, "app", "TMPDIR="+tmp, "XDG_RUNTIME_DIR="), "path: "+dir+"/app.sock"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if info, err := os.Lstat(dir); err != nil || info.Mode() != 0o700|fs.ModeDir {
			t.Errorf("the directory has mode %v, %v", info.Mode(), err)
		}
	}
}

func TestTemporaryDirThatIsNotTheUsersIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	uid := plainUser()
	for name, squat := range map[string]func(t *testing.T, path string){
		"of somebody else": func(t *testing.T, path string) { makeDir(t, path, uid+1, 0o700) },
		"of root":          func(t *testing.T, path string) { makeDir(t, path, 0, 0o755) },
		"open to others":   func(t *testing.T, path string) { makeDir(t, path, uid, 0o777) },
		"readable":         func(t *testing.T, path string) { makeDir(t, path, uid, 0o755) },
		"link": func(t *testing.T, path string) {
			if err := os.Symlink(makeDir(t, path+"-target", uid, 0o700), path); err != nil {
				t.Fatal(err)
			}
		},
		"dead link": func(t *testing.T, path string) {
			if err := os.Symlink(path+"-target", path); err != nil {
				t.Fatal(err)
			}
		},
		"file": func(t *testing.T, path string) {
			if err := cmp.Or(os.WriteFile(path, nil, 0o700), os.Chown(path, uid, -1)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := everyonesDir(t)
			path := filepath.Join(tmp, "udsgrpc-"+strconv.Itoa(uid))
			squat(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			got := defaultPathIn(t, "app", "TMPDIR="+tmp)
			checkPrefix(t, got, "unsafe: ")
			if !strings.Contains(got, path) {
				t.Errorf("it does not say where: %s", got)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() || before.ModTime() != after.ModTime() {
				t.Errorf("it was %v and is %v now, %v", before, after, err)
			}
		})
	}
}

func TestTemporaryDirInWhichOthersCanReplaceIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uid  int
		mode os.FileMode
	}{
		"not sticky":       {os.Geteuid(), 0o777},
		"of somebody else": {plainUser() + 1, 0o777 | fs.ModeSticky},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := makeDir(t, filepath.Join(everyonesDir(t), "tmp"), c.uid, c.mode)
			checkPrefix(t, defaultPathIn(t, "app", "TMPDIR="+tmp), "unsafe: ")
			fixture.CheckMissing(t, filepath.Join(tmp, "udsgrpc-"+strconv.Itoa(plainUser())))
		})
	}
}

func TestTemporaryDirThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	dir := everyonesDir(t)
	closed := makeDir(t, filepath.Join(dir, "closed"), os.Geteuid(), 0o500)
	checkPrefix(t, defaultPathIn(t, "app", "TMPDIR=relative"), "invalid: ")
	checkPrefix(t, defaultPathIn(t, "app", "TMPDIR="+filepath.Join(dir, "missing")), "missing: ")
	checkPrefix(t, defaultPathIn(t, "app", "TMPDIR="+closed), "permission: ")
}

func TestDefaultPathOfRootDoesNotDependOnTheEnvironment(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("it is about root on Linux")
	}
	private := makeDir(t, filepath.Join(everyonesDir(t), "run"), 0, 0o700)
	for _, env := range [][]string{nil, {"XDG_RUNTIME_DIR=" + private}, {"XDG_RUNTIME_DIR=/run/user/1000"}, {"TMPDIR=" + private}} {
		if got := defaultPathAs(t, 0, "app", env...); got != "path: /run/app.sock" {
			t.Errorf("with %v: %q", env, got)
		}
	}
}
