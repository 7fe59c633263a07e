package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/udsgrpc/udsgrpc/internal/testproc"
)

const (
	busName   = "org.example.Notes"
	busObject = dbus.ObjectPath("/org/example/Notes")
)

// dbusPeer has the socket of a bus as its path.
var dbusPeer = peer{
	name:    "dbus",
	module:  "github.com/godbus/dbus/v5",
	prepare: startBus,
	serve: func(ctx context.Context, path string, f function) error {
		bus, err := dbus.Connect("unix:path=" + path)
		if err != nil {
			return err
		}
		defer bus.Close()
		if err := bus.Export(dbusService{f: f}, busObject, busName); err != nil {
			return err
		}
		if reply, err := bus.RequestName(busName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
			return errors.Join(err, fmt.Errorf("the bus answers %v", reply))
		}
		fmt.Println("serving")
		<-ctx.Done()
		return nil
	},
	dial: func(path string) (function, func() error, error) {
		bus, err := dbus.Connect("unix:path=" + path)
		if err != nil {
			return nil, nil, err
		}
		object := bus.Object(busName, busObject)
		return func(ctx context.Context, line string) (got string, err error) {
			err = object.CallWithContext(ctx, busName+".Add", 0, line).Store(&got)
			return got, err
		}, bus.Close, nil
	},
}

type dbusService struct{ f function }

func (s dbusService) Add(line string) (string, *dbus.Error) {
	got, err := s.f(context.Background(), line) // a method gets no context
	if err != nil {
		return "", dbus.MakeFailedError(err)
	}
	return got, nil
}

// startBus starts a bus of its own at a path.
func startBus(t *testing.T, path string) {
	t.Helper()
	daemon := testproc.Tool(t, "dbus-daemon", "dbus-daemon")
	config := filepath.Join(filepath.Dir(path), "bus.conf")
	if err := os.WriteFile(config, []byte(`<busconfig><type>session</type><listen>unix:path=`+path+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o600); err != nil {
		t.Fatal(err)
	}
	bus := testproc.StartCmd(t, exec.Command(daemon, "--config-file="+config, "--nofork", "--print-address=1"))
	bus.Line() // it listens
}
