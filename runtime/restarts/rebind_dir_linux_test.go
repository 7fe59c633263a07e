package restarts_test

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// dirServer is a server whose directory is to be lost.
type dirServer struct {
	*greetertest.Served
	dir, path string
	log       *greetertest.Buffer
	health    healthv1.HealthClient // of a client that stays connected
}

func serveInDir(t *testing.T, dir string) *dirServer {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &dirServer{dir: dir, path: filepath.Join(dir, "s.sock"), log: &greetertest.Buffer{}}
	s.Served = greetertest.Serve(t, s.path, greetertest.New(), runtime.Health(), runtime.EventLog(slog.New(slog.NewTextHandler(s.log, nil))))
	client, conn := greetertest.Dial(t, s.path)
	greetertest.Greet(t, client)
	s.health = healthv1.NewHealthClient(conn)
	return s
}

// logs waits for a record.
func (s *dirServer) logs(t *testing.T, message string) {
	t.Helper()
	fixture.Eventually(t, message, func() bool { return slices.Contains(greetertest.Messages(s.log.String()), message) })
}

func (s *dirServer) awaitHealth(t *testing.T, want healthv1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	for _, service := range []string{"", "greeter.v1.Greeter"} {
		fixture.Eventually(t, want.String(), func() bool {
			resp, err := s.health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			if err != nil {
				t.Fatal(err)
			}
			return resp.GetStatus() == want
		})
	}
}

// hasPath checks that new clients find the server, and that its path is locked.
func (s *dirServer) hasPath(t *testing.T) {
	t.Helper()
	client, conn := greetertest.Dial(t, s.path)
	if err := conn.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	greetertest.Greet(t, client)
	if _, err := runtime.NewServer(s.path); !errors.Is(err, socket.ErrInUse) || !strings.Contains(err.Error(), "holds its lock") {
		t.Errorf("the path is not locked: %v", err)
	}
}

func TestPathIsClaimedInADirectoryThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, dir string){
		"after it was removed": removeDir,
		"after it was moved away": func(t *testing.T, dir string) {
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveInDir(t, filepath.Join(fixture.ShortDir(t), "dir"))
			for range 3 { // the watch has to move on as well
				lose(t, s.dir)
				s.awaitHealth(t, healthv1.HealthCheckResponse_NOT_SERVING)
				before := s.Stats().Rebound
				if err := os.Mkdir(s.dir, 0o700); err != nil {
					t.Fatal(err)
				}
				s.awaitHealth(t, healthv1.HealthCheckResponse_SERVING)
				s.hasPath(t)
				if n := s.Stats().Rebound - before; n != 1 {
					t.Errorf("in the new directory the socket was bound %d times, want once", n)
				}
				if _, err := os.Lstat(s.dir + ".away"); err == nil {
					fixture.CheckMissing(t, filepath.Join(s.dir+".away", "s.sock"))
					if err := os.RemoveAll(s.dir + ".away"); err != nil {
						t.Fatal(err)
					}
				}
			}
			events := greetertest.Messages(s.log.String())
			lost := 0
			for i, event := range events {
				if event == "socket lost" {
					lost++
					if i+1 == len(events) || events[i+1] != "socket bound again" {
						t.Errorf("a loss is not followed by the news that the socket is bound again: %q", events)
					}
				}
			}
			if lost != 3 || events[0] != "serving" {
				t.Errorf("the events are %q, want three losses", events)
			}
			s.Stop()
			if err := <-s.Done; err != nil {
				t.Error(err)
			}
			fixture.CheckMissing(t, s.path)
		})
	}
}

func TestNewDirectoryIsCheckedAsTheFirstOneWas(t *testing.T) {
	t.Parallel()
	s := serveInDir(t, filepath.Join(fixture.ShortDir(t), "dir"))
	unsafe := s.dir + ".unsafe"
	if err := errors.Join(os.Mkdir(unsafe, 0o700), os.Chmod(unsafe, 0o777)); err != nil {
		t.Fatal(err)
	}
	removeDir(t, s.dir)
	if err := os.Rename(unsafe, s.dir); err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "the event", func() bool { return strings.Contains(s.log.String(), "unsafe directory") })
	s.awaitHealth(t, healthv1.HealthCheckResponse_NOT_SERVING)
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) > 0 {
		t.Errorf("in the unsafe directory there is %v, %v", entries, err)
	}
	if err := os.Chmod(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.logs(t, "socket bound again")
	s.hasPath(t)
}

func TestServerOfANewDirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := serveInDir(t, filepath.Join(fixture.ShortDir(t), "dir"))
	other := s.dir + ".other"
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(other, "s.sock"))
	if err != nil {
		t.Fatal(err)
	}
	removeDir(t, s.dir)
	if err := os.Rename(other, s.dir); err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "the event", func() bool { return strings.Contains(s.log.String(), "listens on it") })
	if _, err := os.Lstat(s.path); err != nil {
		t.Errorf("the other's socket is gone: %v", err)
	}
	if err := errors.Join(os.Remove(s.path), l.Close()); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	s.logs(t, "socket bound again")
	s.hasPath(t)
}

func TestDirectoryThatIsMovedAwayIsReportedAndFoundAgain(t *testing.T) {
	t.Parallel()
	s := serveInDir(t, filepath.Join(fixture.ShortDir(t), "dir"))
	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		t.Fatal(err)
	}
	s.logs(t, "socket lost")
	s.awaitHealth(t, healthv1.HealthCheckResponse_NOT_SERVING)
	if err := os.Rename(s.dir+".away", s.dir); err != nil {
		t.Fatal(err)
	}
	s.logs(t, "socket back")
	s.awaitHealth(t, healthv1.HealthCheckResponse_SERVING)
	s.hasPath(t)
	if n := s.Stats().Rebound; n != 0 {
		t.Errorf("the socket was bound again %d times", n)
	}
}

// No event tells of what happens further up.
func TestDirectoryFurtherUpThatIsReplacedIsNoticed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the server looks by itself after ten seconds")
	}
	up := filepath.Join(fixture.ShortDir(t), "a")
	s := serveInDir(t, filepath.Join(up, "b", "c"))
	// The watches have begun when one of them has reported a change.
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	s.logs(t, "socket bound again")
	if err := errors.Join(os.Rename(up, up+".away"), os.MkdirAll(s.dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	fixture.Eventually(t, "the new directory to be noticed", func() bool { return s.Stats().Rebound == 2 })
	s.hasPath(t)
}

// As a device plugin does with a kubelet: its own socket and the kubelet's are in the kubelet's directory.
func TestPluginIntroducesItselfInADirectoryThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	s := serveInDir(t, filepath.Join(fixture.ShortDir(t), "dir"))
	kubelet := filepath.Join(s.dir, "kubelet.sock")
	first := testproc.Start(t, "greeter", kubelet)
	first.Line()
	registered := make(chan struct{}, 10)
	greetertest.Dial(t, kubelet, runtime.WithOnConnect(func() { registered <- struct{}{} }))
	<-registered
	first.Kill()
	first.WaitExit()
	removeDir(t, s.dir)
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	testproc.Start(t, "greeter", kubelet).Line()
	<-registered
	fixture.Eventually(t, "the plugin's own path", func() bool { return s.Stats().Rebound > 0 })
	s.hasPath(t)
}

// removeDir removes a directory, in which a server may bind its socket again while it is being emptied.
func removeDir(t *testing.T, dir string) {
	t.Helper()
	fixture.Eventually(t, dir+" to be removed", func() bool {
		err := os.RemoveAll(dir)
		if err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
			t.Fatal(err)
		}
		return err == nil
	})
}
