#!/usr/bin/env bash
# go-plugin: UnixSocketConfig.TempDir has no effect for plugins that are started with Cmd.
#
# Surprise: a host sets ClientConfig.UnixSocketConfig.TempDir to a private directory, and the plugin's socket
# is in the system's temporary directory all the same. The directory is made and handed to the plugin only
# where the host uses RunnerFunc; with Cmd, the usual way, the field is read by nobody.
# Who meets it: hosts that want their plugins' sockets out of a /tmp that all users share.
# Seen since: go-plugin 1.8.0.
# Source: Client.Start, which sets the directory up in the branch of RunnerFunc alone, in
# https://github.com/hashicorp/go-plugin/blob/v1.8.0/client.go
source "$(dirname "$0")/common.bash"

go_program github.com/hashicorp/go-plugin@v1.8.0 github.com/hashicorp/go-hclog@v1.6.3 google.golang.org/grpc@v1.85.0 <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "FINDING_COOKIE", MagicCookieValue: "yes"}

// empty is a plugin without services: its socket alone matters here.
type empty struct{ plugin.NetRPCUnsupportedPlugin }

func (empty) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }
func (empty) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func main() {
	plugins := plugin.PluginSet{"empty": empty{}}
	if os.Getenv(handshake.MagicCookieKey) != "" {
		plugin.Serve(&plugin.ServeConfig{HandshakeConfig: handshake, Plugins: plugins, GRPCServer: plugin.DefaultGRPCServer})
		return
	}
	private := os.Args[1]
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          plugins,
		Cmd:              exec.Command(os.Args[0]),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: private},
		Logger:           hclog.NewNullLogger(),
	})
	defer client.Kill()
	address, err := client.Start()
	if err != nil {
		fmt.Println("Start:", err)
		return
	}
	inside, err := filepath.Match(filepath.Join(private, "*", "*"), address.String())
	fmt.Printf("socket under UnixSocketConfig.TempDir: %t %v\n", inside, err)
	fmt.Printf("socket straight in the system's temporary directory: %t\n",
		filepath.Dir(address.String()) == filepath.Clean(os.TempDir()))
}
GO
mkdir "$work/private" "$work/tmp"
verdict 'the socket is in a directory below UnixSocketConfig.TempDir' \
	'^socket straight in the system.s temporary directory: true$' \
	"$(TMPDIR=$work/tmp "$work/probe" "$work/private" 2>&1)"
