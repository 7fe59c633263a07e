package socket_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func TestParseAddressReadsEveryForm(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"/run/app.sock":                  "/run/app.sock",
		"/run//app/./x.sock":             "/run/app/x.sock",
		"app.sock":                       wd + "/app.sock",
		"./app.sock":                     wd + "/app.sock",
		"unix:app.sock":                  wd + "/app.sock",
		"unix:dir/app.sock":              wd + "/dir/app.sock",
		"unix:/run/app.sock":             "/run/app.sock",
		"unix:///run/app.sock":           "/run/app.sock",
		"@app":                           "@app",
		"@/app":                          "@/app",
		"unix-abstract:app":              "@app",
		"./unix:odd":                     wd + "/unix:odd",
		"./@odd":                         wd + "/@odd",
		"/a b#c?d%20e/ü.sock":            "/a b#c?d%20e/ü.sock",
		"unix:///a%20b":                  "/a%20b",
		"/a/\xff":                        "/a/\xff",
		"@" + strings.Repeat("a", 107):   "@" + strings.Repeat("a", 107),
		"/link/../app.sock":              "/link/../app.sock", // link may lead anywhere
		"../app.sock":                    wd + "/../app.sock",
		"/" + strings.Repeat("long", 99): "/" + strings.Repeat("long", 99),
	} {
		addr, err := socket.ParseAddress(given)
		if err != nil || addr.String() != filepath.FromSlash(want) {
			t.Errorf("ParseAddress(%q) = %q, %v; want %q", given, addr, err, want)
		}
		if got, want := addr.IsAbstract(), want[0] == '@'; got != want {
			t.Errorf("ParseAddress(%q).IsAbstract() = %v", given, got)
		}
	}
}

func TestParseAddressRejectsWhatNamesNoSocket(t *testing.T) {
	for given, want := range map[string]error{
		"":                             fs.ErrInvalid,
		"unix:":                        fs.ErrInvalid,
		"unix://":                      fs.ErrInvalid,
		"unix://relative":              fs.ErrInvalid,
		"unix-abstract:":               fs.ErrInvalid,
		"unix-abstract://name":         fs.ErrInvalid,
		"@":                            fs.ErrInvalid,
		"/run/app\x00.sock":            fs.ErrInvalid,
		"\x00abstract":                 fs.ErrInvalid,
		"@a\x00b":                      fs.ErrInvalid,
		"/run/":                        fs.ErrInvalid,
		"/":                            fs.ErrInvalid,
		".":                            fs.ErrInvalid,
		"/run/..":                      fs.ErrInvalid,
		"@" + strings.Repeat("a", 108): socket.ErrPathTooLong,
	} {
		addr, err := socket.ParseAddress(given)
		if !errors.Is(err, want) {
			t.Errorf("ParseAddress(%q) = %q, %v; want an error that is %q", given, addr, err, want)
		}
	}
}

func TestRelativeAddressIsResolvedOnce(t *testing.T) {
	dir := fixture.ShortDir(t)
	t.Chdir(dir)
	addr, err := socket.ParseAddress("s.sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("/")
	if want := filepath.Join(dir, "s.sock"); addr.String() != want {
		t.Errorf("address is %q after a change of directory, want %q", addr, want)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"/run/app.sock", "unix:app", "unix:///a%2Fb", "@name", "unix-abstract:n", "a/../b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := socket.ParseAddress(s)
		if err != nil {
			return
		}
		again, err := socket.ParseAddress(addr.String())
		if err != nil || again != addr {
			t.Errorf("ParseAddress(%q) = %q, which reads as %q, %v", s, addr, again, err)
		}
		if strings.ContainsRune(addr.String(), 0) {
			t.Errorf("ParseAddress(%q) = %q, with a NUL", s, addr)
		}
	})
}
