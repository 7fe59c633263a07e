package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime"
)

func TestDoctorTellsEveryPathsConditionAndFailsIfOneIsBad(t *testing.T) {
	dir, err := os.MkdirTemp("", "doctor")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	longName := "@" + strings.Repeat("n", 108)
	srv, err := runtime.NewServer(good)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()

	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{"doctor", good}, 0, []string{good + ": ready", "answers"}},
		{[]string{"doctor", good, bad}, 1, []string{good + ": ready", bad + ": missing", "no such file"}},
		{[]string{"doctor", "unix://x"}, 1, []string{"unix://x: invalid address"}},
		{[]string{"doctor", longName}, 1, []string{longName + ": path too long\n\tchoose a shorter name\n"}},
		{[]string{"doctor"}, 2, []string{"Usage:"}},
		{nil, 2, []string{"Usage:"}},
		{[]string{"frob", "x"}, 2, []string{"Usage:"}},
		{[]string{"--version"}, 0, []string{"udsgrpc (devel)\n"}}, // a test has no other
		{[]string{"--help"}, 0, []string{"Usage:", "doctor PATH"}},
	} {
		var out strings.Builder
		if status := run(c.args, &out, &out); status != c.status {
			t.Errorf("udsgrpc %q exits with %d, want %d", c.args, status, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("udsgrpc %q says %q; want %q in it", c.args, out.String(), want)
			}
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
