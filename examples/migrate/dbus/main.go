// Command dbus serves and calls notes over D-Bus. Its path is the address of a bus, as in
// unix:path=/run/user/1000/bus.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
)

const (
	name   = "org.example.Notes" // of the service and of its interface
	object = dbus.ObjectPath("/org/example/Notes")
)

func main() { notes.Main(serve, call) }

func serve(ctx context.Context, address string) error {
	bus, err := dbus.Connect(address)
	if err != nil {
		return err
	}
	defer bus.Close()
	var kept notes.Notes
	methods := map[string]any{
		"Add":  func(line string) (uint32, *dbus.Error) { return kept.Add(line), nil },
		"List": func() ([]string, *dbus.Error) { return kept.Lines(), nil },
	}
	if err := bus.ExportMethodTable(methods, object, name); err != nil {
		return err
	}
	reply, err := bus.RequestName(name, dbus.NameFlagDoNotQueue)
	if err != nil {
		return err
	}
	if reply != dbus.RequestNameReplyPrimaryOwner {
		return errors.New("somebody else is " + name)
	}
	fmt.Println("serving on", address)
	select {
	case <-ctx.Done():
	case <-bus.Context().Done():
	}
	return nil
}

func call(ctx context.Context, address, line string) error {
	bus, err := dbus.Connect(address)
	if err != nil {
		return err
	}
	defer bus.Close()
	service := bus.Object(name, object)
	var count uint32
	if err := service.CallWithContext(ctx, name+".Add", 0, line).Store(&count); err != nil {
		return err
	}
	fmt.Println(count, "lines")
	var lines []string
	if err := service.CallWithContext(ctx, name+".List", 0).Store(&lines); err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Println("-", line)
	}
	return nil
}
