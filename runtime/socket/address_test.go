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
		"./localhost:50051":              wd + "/localhost:50051",
		"unix:localhost:50051":           wd + "/localhost:50051",
		"@localhost:50051":               "@localhost:50051",
		"run/app:1":                      wd + "/run/app:1",
		"app:":                           wd + "/app:",
		"app:1a":                         wd + "/app:1a",
		"tcp":                            wd + "/tcp",
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
		"localhost:50051":              fs.ErrInvalid,
		":50051":                       fs.ErrInvalid,
		"10.0.0.1:80":                  fs.ErrInvalid,
		"[::1]:80":                     fs.ErrInvalid,
		"tcp://localhost:50051":        fs.ErrInvalid,
		"http://localhost":             fs.ErrInvalid,
		"HTTPS://localhost/":           fs.ErrInvalid,
		"dns:///example.com:443":       fs.ErrInvalid,
		"dns:example.com":              fs.ErrInvalid,
		"xds:///greeter":               fs.ErrInvalid,
		"passthrough:///run/app.sock":  fs.ErrInvalid,
		"UNIX:///run/app.sock":         fs.ErrInvalid,
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

func TestNetworkAddressIsRefusedWithTheRemedy(t *testing.T) {
	_, err := socket.ParseAddress("localhost:50051")
	for _, want := range []string{`"localhost:50051"`, "network", "./localhost:50051", "/run/app.sock"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v; want %q in it", err, want)
		}
	}
}

func TestURLOfAnotherSchemeIsRefusedWithTheRemedy(t *testing.T) {
	_, err := socket.ParseAddress("passthrough:///unix:///run/app.sock")
	for _, want := range []string{"passthrough:", "scheme unix", "unix:///run/app.sock"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v; want %q in it", err, want)
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
	for _, s := range []string{"/run/app.sock", "unix:app", "unix:///a%2Fb", "@name", "unix-abstract:n", "a/../b", "localhost:1", "DNS:x", ""} {
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
