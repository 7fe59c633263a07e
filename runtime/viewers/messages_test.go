package viewers_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	vaulttestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/vaulttest/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/greetertest"
)

const vaultSecret = "s3cr3t"

type vault struct {
	vaulttestv1.UnimplementedVaultServer
}

func (vault) Echo(_ context.Context, item *vaulttestv1.Item) (*vaulttestv1.Item, error) {
	if item.GetText() == "fail" {
		return nil, status.Error(codes.NotFound, "there is no such item")
	}
	return item, nil
}

func (vault) Chat(stream grpc.BidiStreamingServer[vaulttestv1.Item, vaulttestv1.Item]) error {
	for {
		item, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := stream.Send(item); err != nil {
			return err
		}
	}
}

func serveVault(t *testing.T, opts ...runtime.ServerOption) (path string) {
	t.Helper()
	path = fixture.FreePath(t)
	srv, err := runtime.NewServer(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	vaulttestv1.RegisterVaultServer(srv, vault{})
	greetertest.Run(t, srv)
	return path
}

func TestMessagesAreShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	for transport, opts := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			log := &greetertest.Buffer{}
			path := serveVault(t, runtime.InspectMessages(), runtime.EventLog(slog.New(slog.NewTextHandler(log, nil))))
			conn, err := runtime.Dial(path, opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			client := vaulttestv1.NewVaultClient(conn)
			bare := tapCalls(t, path, nil)
			if strings.Contains(log.String(), "viewer sees messages") {
				t.Error("a viewer that asks for no messages is said to see them")
			}
			full := tapCalls(t, path, &inspectv1.CallsRequest{Contents: true})
			if !strings.Contains(log.String(), `msg="viewer sees messages"`) {
				t.Errorf("the event log has %s", log)
			}

			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", vaultSecret, "x-bin", vaultSecret, "x-seen", "a", "x-seen", "b")
			item := &vaulttestv1.Item{Text: "a", Password: vaultSecret, Nested: &vaulttestv1.Item{Password: vaultSecret}}
			if _, err := client.Echo(ctx, item); err != nil {
				t.Fatal(err)
			}
			const shown = `{"text":"a","password":"[redacted]","nested":{"password":"[redacted]"}}`
			c := full.next()
			wantMessages(t, c, "> "+shown, "< "+shown)
			headers := map[string]string{}
			for _, h := range c.GetContents().GetHeaders() {
				headers[h.GetKey()] += h.GetValue()
			}
			if headers["authorization"] != "[redacted]" || headers["x-bin"] != "[redacted]" || headers["x-seen"] != "ab" {
				t.Errorf("the headers are %v", headers)
			}
			if strings.Contains(c.String(), vaultSecret) {
				t.Errorf("a secret is shown: %v", c)
			}

			_, err = client.Echo(t.Context(), &vaulttestv1.Item{Text: "fail"})
			greetertest.CheckCode(t, err, codes.NotFound)
			c = full.next()
			wantMessages(t, c, `> {"text":"fail"}`)
			if c.GetContents().GetStatusMessage() != "there is no such item" {
				t.Errorf("the status is %v", c.GetContents())
			}

			chat, err := client.Chat(t.Context())
			for _, text := range []string{"one", strings.Repeat("x", 70<<10), "two"} {
				if err == nil {
					err = chat.Send(&vaulttestv1.Item{Text: text})
				}
				if err == nil {
					_, err = chat.Recv()
				}
			}
			if err == nil {
				err = chat.CloseSend()
			}
			if _, end := chat.Recv(); err != nil || !errors.Is(end, io.EOF) {
				t.Fatal(err, end)
			}
			c = full.next()
			wantMessages(t, c, `> {"text":"one"}`, `< {"text":"one"}`, `> {"text":"two"}`, `< {"text":"two"}`)
			if c.GetRequests() != 3 || c.GetResponses() != 3 || c.GetContents().GetLeftOut() != 2 {
				t.Errorf("the stream has %d and %d messages, and %d are left out", c.GetRequests(), c.GetResponses(), c.GetContents().GetLeftOut())
			}
			for range 3 {
				if c := bare.next(); c.GetContents() != nil {
					t.Errorf("who asks for no messages sees %v", c)
				}
			}
		})
	}
}

func wantMessages(t *testing.T, c *inspectv1.Call, want ...string) {
	t.Helper()
	var got []string
	for _, m := range c.GetContents().GetMessages() {
		mark := "> "
		if m.GetResponse() {
			mark = "< "
		}
		got = append(got, mark+m.GetJson())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the messages are %q, want %q", got, want)
	}
}

func TestMessagesAreShownOnlyWhereTheProgramSaysSo(t *testing.T) {
	t.Parallel()
	path := serveVault(t)
	conn, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := inspectv1.NewInspectServiceClient(conn).Calls(t.Context(), &inspectv1.CallsRequest{Contents: true})
	if err == nil {
		_, err = stream.Recv()
	}
	greetertest.CheckCode(t, err, codes.PermissionDenied)
	if !strings.Contains(err.Error(), "runtime.InspectMessages()") {
		t.Errorf("the error is %v", err)
	}
	if _, err := runtime.NewServer(fixture.FreePath(t), runtime.InspectMessages(), runtime.NoInspection()); err == nil || !strings.Contains(err.Error(), "NoInspection") {
		t.Errorf("with both options, the error is %v", err)
	}
}
