#!/usr/bin/env bash
# godbus: signals reach the channel out of order when its reader is a little behind.
#
# Surprise: D-Bus keeps the order of messages, and a Go channel does too, but a Conn made with the default
# handler delivers each signal that does not fit into the channel's buffer in a goroutine of its own. Nothing
# is dropped; what arrives is shuffled. A reader of state changes can take an old state for the last one.
# WithSignalHandler(NewSequentialSignalHandler()) keeps the order.
# Who meets it: daemons that follow properties or unit states of systemd over the system bus's Unix socket.
# Seen since: godbus 5.2.4.
# Source: deliver of signalChannelData in
# https://github.com/godbus/dbus/blob/v5.2.4/default_handler.go
source "$(dirname "$0")/common.bash"
need dbus-daemon

go_program github.com/godbus/dbus/v5@v5.2.4 <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

const signals = 500

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func follow(name, address string, options ...dbus.ConnOption) {
	receiver, err := dbus.Connect(address, options...)
	must(err)
	defer receiver.Close()
	sender, err := dbus.Connect(address)
	must(err)
	defer sender.Close()
	must(receiver.AddMatchSignal(dbus.WithMatchInterface("finding.Counter")))
	channel := make(chan *dbus.Signal, 10)
	receiver.Signal(channel)
	for i := range signals {
		must(sender.Emit("/finding", "finding.Counter.Changed", int32(i)))
	}
	count, older, newest := 0, 0, int32(-1)
	for count < signals {
		select {
		case signal := <-channel:
			if signal.Name != "finding.Counter.Changed" {
				continue
			}
			value := signal.Body[0].(int32)
			if value < newest {
				older++
			}
			newest = max(newest, value)
			count++
			time.Sleep(100 * time.Microsecond)
		case <-time.After(3 * time.Second):
			fmt.Println(name, "nothing more")
			return
		}
	}
	fmt.Printf("%s handler: %d of %d signals received, %d after a newer one\n", name, count, signals, older)
}

func main() {
	follow("default", os.Args[1])
	follow("sequential", os.Args[1], dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
}
GO
dbus-daemon --session --nofork --nopidfile --address="unix:path=$work/bus" >"$work/log" 2>&1 &
children+=($!)
for _ in $(seq 100); do [ -S "$work/bus" ] && break; sleep 0.1; done
verdict 'signals come in the order in which they were sent' \
	'^default handler: 500 of 500 signals received, [1-9][0-9]* after a newer one$' \
	"$("$work/probe" "unix:path=$work/bus" 2>&1)"
