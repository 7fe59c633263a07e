package socket

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// DefaultPath returns a path for a socket in a place where only the user of this process can have put
// anything. It is for programs without a setting: server and client call it with the same name, and meet.
// The file is called name, with ".sock" added unless name ends with that; other dots have no meaning, as
// in "com.example.app". Its directory is the first of these that applies:
//
//   - For root on Linux, /run. The environment does not matter, so that a daemon, which has none,
//     and a login meet.
//   - $XDG_RUNTIME_DIR, if it is set. It must be as its specification demands: absolute, and a
//     directory of the user's, with mode 0700.
//   - udsgrpc-UID in [os.TempDir], made with mode 0700 where it is missing. What is there must be
//     a directory of the user's, not a link to one, with mode 0700.
//   - On Windows instead of all these udsgrpc in [os.UserCacheDir], which is %LocalAppData%, made
//     where it is missing. Its access control list is not checked.
//
// The user is the effective one. A directory that does not satisfy these rules is left as it is, and is an
// error. DefaultPath does not try the next one instead: if only one of the two ends sees the problem, they
// would wait for each other in different places, and nothing would say why. For the same reason both need
// the same XDG_RUNTIME_DIR and TMPDIR. A cron job has none, and a system service may have its own, as with
// PrivateTmp: give these a path.
//
// The error wraps [ErrUnsafeDir] for a directory with the wrong owner or mode, for a temporary directory
// in which others can replace it, and for something else in the place of udsgrpc-UID; the errno, such as
// [fs.ErrNotExist], if a directory cannot be reached; and [fs.ErrInvalid] for a relative directory, and
// for a name that is empty, "." or "..", or has other characters than [A-Za-z0-9._-]. The path may have
// any length; [Listen] and [Dialer] return [ErrPathTooLong].
//
// DefaultPath may be called concurrently.
func DefaultPath(name string) (string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsFunc(name, isOdd) {
		return "", fmt.Errorf("default path of a socket named %q: name it with letters, digits, '.', '_' and '-' only: %w", name, fs.ErrInvalid)
	}
	dir, err := defaultDir()
	if err != nil {
		return "", fmt.Errorf("default path of a socket named %s: %w", name, err)
	}
	return absolute(dir + string(filepath.Separator) + strings.TrimSuffix(name, ".sock") + ".sock")
}

// isOdd reports whether a character may mean something to a shell, a URL or a file system.
func isOdd(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
}
