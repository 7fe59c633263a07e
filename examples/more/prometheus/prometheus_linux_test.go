package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/internal/testproc"
	"github.com/udsgrpc/udsgrpc/runtime"
)

func TestPrometheusReadsWhatTheServerCounts(t *testing.T) {
	t.Parallel()
	dir := testproc.OpenDir(t)
	program, path := filepath.Join(dir, "server"), filepath.Join(dir, "s.sock")
	testproc.Build(t, program, ".")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := testproc.StartCmd(t, exec.CommandContext(ctx, program, "-socket", path))
	url := strings.TrimPrefix(server.Line(), "metrics on ")

	call(ctx, t, path, 3)
	call(ctx, t, path, 2, runtime.WithHTTP2Only())
	got := scrape(ctx, t, url)
	for _, want := range []string{
		fmt.Sprintf(`udsgrpc_server_calls_total{socket="%s",transport="direct"} 3`, path),
		fmt.Sprintf(`udsgrpc_server_calls_total{socket="%s",transport="http2"} 2`, path),
		fmt.Sprintf(`udsgrpc_server_connections_total{socket="%s",transport="direct"} 1`, path),
		fmt.Sprintf(`udsgrpc_server_accept_failures_total{socket="%s"} 0`, path),
		fmt.Sprintf(`udsgrpc_server_calls_refused_total{socket="%s"} 0`, path),
		fmt.Sprintf(`udsgrpc_server_handovers_total{result="failed",socket="%s"} 0`, path),
		"# TYPE udsgrpc_server_rebinds_total counter",
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("there is no line %q in\n%s", want, got)
		}
	}

	server.Stop()
}

func call(ctx context.Context, t *testing.T, path string, times int, opts ...runtime.DialOption) {
	t.Helper()
	client, conn, err := greeterv1.DialGreeterUDS(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range times {
		if _, err := client.Greet(ctx, &greeterv1.GreetRequest{Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
	}
}

func scrape(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %s, %v", resp.Status, err)
	}
	return string(body)
}
