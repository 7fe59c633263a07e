//go:build !windows

package main

import (
	"context"
	"testing"
)

func TestGeneratedClientOverAnotherTransport(t *testing.T) {
	t.Parallel()
	l, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, l) }()
	greeting, err := greet(t.Context(), l.Addr().String())
	if want := "Hello, Ada! That I know who you are is false."; err != nil || greeting != want {
		t.Errorf("greeting is %q, %v, want %q", greeting, err, want)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
