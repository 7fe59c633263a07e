package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

func newHealth() *cobra.Command {
	var timeout time.Duration
	verb := &cobra.Command{
		Use:   "health PATH [SERVICE]",
		Short: "Ask a server whether it, or one of its services, is healthy",
		Long: `It asks the server by grpc.health.v1.Health, for exec probes of Kubernetes, units and scripts.
Without SERVICE it asks for the server as a whole. The server may be of any user: nothing but the name
of the service is sent to it.

Exit status:

	 0  SERVING
	 2  the command was not told what to do
	 3  the server says something else, such as NOT_SERVING

and if there is no answer, 64 and the status code of the call:

` + codeTable() + `
Unavailable means that there is no server, Unimplemented that it has no health service, NotFound that
it does not know SERVICE.`,
		Example: `  udsgrpc health /run/app/app.sock
  udsgrpc health /run/app/app.sock app.v1.Store --timeout 1s`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return errors.New("say which socket, and at most one service")
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			if timeout <= 0 {
				return errors.New("--timeout is not positive")
			}
			ctx, cancel := context.WithTimeout(verb.Context(), timeout)
			defer cancel()
			service := ""
			if len(args) == 2 {
				service = args[1]
			}
			found, err := checkHealth(ctx, args[0], service)
			if err != nil {
				return err
			}
			return outputOf(verb).health(found)
		},
	}
	verb.Flags().DurationVar(&timeout, "timeout", 2*time.Second, "how long to wait for the answer")
	addJSON(verb, "call")
	return verb
}

// healthObject is a verdict in JSON.
type healthObject struct {
	Path    string `json:"path"`
	Service string `json:"service"`
	Health  string `json:"health,omitempty"` // if the server has answered
	Code    string `json:"code"`             // of the call
	Message string `json:"message,omitempty"`
	// Transport is that of the call, "direct" or "http2"; "" if there was no connection.
	Transport string `json:"transport,omitempty"`
	Status    int    `json:"status"` // to exit with
}

// checkHealth makes the call. The error is that of an address that is none.
func checkHealth(ctx context.Context, path, service string) (healthObject, error) {
	address, err := socket.ParseAddress(path)
	if err != nil {
		return healthObject{}, err
	}
	conn, err := runtime.Dial(path, runtime.WithServerPolicy(runtime.Anyone()))
	if err != nil {
		return healthObject{}, err
	}
	defer conn.Close()
	var p peer.Peer
	resp, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service}, grpc.Peer(&p))
	code := status.Code(err)
	found := healthObject{Path: address.String(), Service: service, Code: code.String(), Transport: transportOf(&p), Status: codeStatus(code)}
	switch code {
	case codes.OK:
		found.Health = resp.GetStatus().String()
		if resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			found.Status = statusNotServing
		}
	case codes.Unimplemented:
		found.Message = "the server has no health service: " + status.Convert(err).Message()
	default:
		found.Message = status.Convert(err).Message()
	}
	return found, nil
}

// health prints a verdict.
func (o *output) health(found healthObject) error {
	var err error
	switch {
	case o.json:
		err = o.object(found)
	case found.Health != "":
		_, err = fmt.Fprintf(o, "%s: %s\n", clean(found.Path), o.verdict(found.Status == 0, clean(found.Health)))
	default:
		_, err = fmt.Fprintf(o, "%s: %s\n\t%s\n", clean(found.Path), o.bad(found.Code), clean(found.Message))
	}
	if err != nil {
		return err
	}
	return ending(found.Status)
}

// transportOf tells how a call was carried, or "" if it was not.
func transportOf(p *peer.Peer) string {
	info, ok := p.AuthInfo.(runtime.AuthInfo)
	switch {
	case !ok:
		return ""
	case info.Direct:
		return "direct"
	default:
		return "http2"
	}
}
