package peers_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	adminv1 "github.com/udsgrpc/udsgrpc/examples/rules/gen/admin/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

type admin struct {
	adminv1.UnimplementedAdminServer
}

func (admin) Status(context.Context, *adminv1.StatusRequest) (*adminv1.StatusResponse, error) {
	return &adminv1.StatusResponse{}, nil
}

func (admin) Reload(context.Context, *adminv1.ReloadRequest) (*adminv1.ReloadResponse, error) {
	return &adminv1.ReloadResponse{}, nil
}

func (admin) Shutdown(context.Context, *adminv1.ShutdownRequest) (*adminv1.ShutdownResponse, error) {
	return &adminv1.ShutdownResponse{}, nil
}

// serveAdmin is a program: the service with rules, by its own constructor on the first path, registered
// beside another service on the second, and with a rule of the program's for all of it on the third.
func serveAdmin(paths []string) error {
	own, err := adminv1.NewAdminUDSServer(paths[0], admin{}, runtime.SocketMode(0o666))
	if err != nil {
		return err
	}
	defer own.Close()
	beside, err := runtime.NewServer(paths[1], runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
	if err != nil {
		return err
	}
	adminv1.RegisterAdminServer(beside, admin{})
	// The rule of a registrar narrows what is declared, and what the program says of all services.
	restricted, err := runtime.NewServer(paths[2], runtime.SocketMode(0o666), runtime.Authorize(runtime.Anyone()))
	if err != nil {
		return err
	}
	defer restricted.Close()
	adminv1.RegisterAdminServer(restricted.RegistrarFor(runtime.SameUser()), admin{})
	ended := make(chan error)
	for _, srv := range []*runtime.Server{own, beside, restricted} {
		go func() { ended <- srv.Serve(context.Background()) }()
	}
	fmt.Println("serving")
	return <-ended
}

// callAdmin is a program: it prints the status of each rpc, for each path.
func callAdmin(paths []string) error {
	for _, path := range paths {
		client, conn, err := adminv1.DialAdminUDS(path, runtime.WithServerPolicy(runtime.Anyone()))
		if err != nil {
			return err
		}
		ctx := context.Background()
		_, statusErr := client.Status(ctx, &adminv1.StatusRequest{})
		_, reloadErr := client.Reload(ctx, &adminv1.ReloadRequest{})
		_, shutdownErr := client.Shutdown(ctx, &adminv1.ShutdownRequest{})
		fmt.Println(status.Code(statusErr), status.Code(reloadErr), status.Code(shutdownErr))
		conn.Close()
	}
	return nil
}

func TestDeclaredRulesAreEnforcedForEveryUser(t *testing.T) {
	t.Parallel()
	greetertest.NeedRoot(t)
	path := greetertest.PublicPath(t)
	if err := os.Chown(filepath.Dir(path), 1234, 1234); err != nil {
		t.Fatal(err)
	}
	paths := []string{path + ".own", path + ".beside", path + ".restricted"}
	greetertest.StartAs(t, greetertest.User{UID: 1234, GID: 1234}, "serve admin", paths...).Line()
	for name, c := range map[string]struct {
		user             greetertest.User
		want, restricted string
	}{
		"the server's user": {greetertest.User{UID: 1234, GID: 1234}, "OK OK PermissionDenied", "OK OK PermissionDenied"},
		"root":              {greetertest.User{}, "OK PermissionDenied OK", "PermissionDenied PermissionDenied PermissionDenied"},
		"another user":      {greetertest.User{UID: 2345, GID: 2345}, "OK PermissionDenied PermissionDenied", "PermissionDenied PermissionDenied PermissionDenied"},
	} {
		caller := greetertest.StartAs(t, c.user, "call admin", paths...)
		for _, want := range []string{c.want, c.want, c.restricted} {
			if got := caller.Line(); got != want {
				t.Errorf("%s gets %q, want %q", name, got, want)
			}
		}
	}
}

func TestDeclaredRuleForOthersNeedsAMode(t *testing.T) {
	t.Parallel()
	_, err := adminv1.NewAdminUDSServer(fixture.FreePath(t), admin{})
	if !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), "/admin.v1.Admin/Status is for anyone") {
		t.Errorf("error is %v", err)
	}
	srv, err := runtime.NewServer(fixture.FreePath(t))
	if err != nil {
		t.Fatal(err)
	}
	adminv1.RegisterAdminServer(srv, admin{})
	if err := srv.Serve(t.Context()); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("with the service registered beside others, Serve returned %v", err)
	}
}

// A service that is registered later has rules, too.
func TestDirectoryThatCreateDirMadeTooNarrowForALaterServiceIsAnError(t *testing.T) {
	t.Parallel()
	srv, err := runtime.NewServer(filepath.Join(fixture.ShortDir(t), "a", "s.sock"), runtime.CreateDir(), runtime.SocketMode(0o666))
	if err != nil {
		t.Fatal(err)
	}
	adminv1.RegisterAdminServer(srv, admin{})
	if err := srv.Serve(over()); !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), "DirMode(0755)") {
		t.Errorf("Serve returned %v", err)
	}
}

// A log is the program's, and the program may act on a record.
func TestLogHandlerMayCallTheServerWhileAServiceIsRegistered(t *testing.T) {
	t.Parallel()
	dir := fixture.ShortDir(t)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var srv *runtime.Server
	h := &callingHandler{Handler: slog.DiscardHandler}
	srv, err := runtime.NewServer(filepath.Join(dir, "s.sock"), runtime.SocketMode(0o666), runtime.EventLog(slog.New(h)))
	if err != nil {
		t.Fatal(err)
	}
	h.call = func() { srv.Close() }
	registered := make(chan struct{})
	go func() {
		defer close(registered)
		adminv1.RegisterAdminServer(srv, admin{}) // with a rule of its own that lets everybody in
	}()
	select {
	case <-registered:
	case <-time.After(fixture.Guard):
		t.Fatal("registering hangs")
	}
	if h.calls.Load() != 1 {
		t.Errorf("the log has got %d records", h.calls.Load())
	}
}

// callingHandler calls a function for each record.
type callingHandler struct {
	slog.Handler
	call  func()
	calls atomic.Int32
}

func (h *callingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *callingHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }

func (h *callingHandler) Handle(context.Context, slog.Record) error {
	h.calls.Add(1)
	h.call()
	return nil
}
