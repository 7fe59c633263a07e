package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-lib-utils/connection"
	"google.golang.org/grpc"
	"k8s.io/klog/v2"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/csiudsgrpc"
)

type driver struct {
	csi.UnimplementedIdentityServer
}

func (driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: "notes.csi.example.com"}, nil
}

// driverProgram is a driver in a process of its own.
func driverProgram(args []string) error {
	srv, err := csiudsgrpc.NewIdentityUDSServer(args[0], driver{})
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return srv.Serve(context.Background())
}

// sidecar is a client of a driver, by either library.
type sidecar struct {
	connect func(ctx context.Context, path string, lost func()) (grpc.ClientConnInterface, io.Closer, error)
}

func csiLibUtils(ctx context.Context, path string, lost func()) (grpc.ClientConnInterface, io.Closer, error) {
	conn, err := connection.ConnectWithoutMetrics(ctx, "unix://"+path, connection.WithTimeout(soon),
		connection.OnConnectionLoss(func(context.Context) bool { lost(); return true }))
	if err != nil && conn != nil {
		err = errors.Join(err, conn.Close())
	}
	return conn, conn, err
}

func udsgrpcSidecar(_ context.Context, path string, lost func()) (grpc.ClientConnInterface, io.Closer, error) {
	_, conn, err := csiudsgrpc.DialIdentityUDS(path, runtime.WithEventLog(slog.New(onLoss{slog.DiscardHandler, lost})))
	return conn, conn, err
}

// onLoss calls a function when the client has lost its server.
type onLoss struct {
	slog.Handler
	lost func()
}

func (onLoss) Enabled(context.Context, slog.Level) bool { return true }

func (h onLoss) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "server lost" {
		h.lost()
	}
	return nil
}

func TestTheDocumentOfCSISaysWhatWasMeasured(t *testing.T) {
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false) // what it prints of errors comes from the library
	measureSidecar := func(s sidecar) facts {
		var f facts
		path := filepath.Join(testproc.OpenDir(t), "csi.sock")

		_, closer, err := s.connect(t.Context(), path, func() {})
		f.add("connecting while no driver serves", "%s", describe(err))
		if err == nil {
			closer.Close()
		}

		first := testproc.Start(t, "driver", path)
		first.Line()
		var losses atomic.Int32
		lost := make(chan struct{}, 100)
		conn, closer, err := s.connect(t.Context(), path, func() { losses.Add(1); lost <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		info := func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			_, err := csi.NewIdentityClient(conn).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{})
			return err
		}
		if err := info(); err != nil {
			t.Fatal(err)
		}
		first.Kill()
		first.WaitExit()
		told := "tells at once"
		select {
		case <-lost:
		case <-time.After(3 * soon):
			told = "does not tell while nobody calls"
		}
		f.add("the driver dies: the library", "%s", told)
		second := testproc.Start(t, "driver", path)
		second.Line()
		f.add("the next driver serves: the next call", "%s", describe(info()))
		return f
	}
	theirs, ours := measureSidecar(sidecar{csiLibUtils}), measureSidecar(sidecar{udsgrpcSidecar})
	compareTable(t, "csi-lib-utils", table(t, peer{name: "csi-lib-utils", module: "github.com/kubernetes-csi/csi-lib-utils"}, theirs, ours))
}
