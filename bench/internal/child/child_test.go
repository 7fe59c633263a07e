package child_test

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udsgrpc/udsgrpc/bench/internal/child"
)

// ask lets a child do what the requests say, and returns its answers.
func ask(t *testing.T, requests ...child.Request) []child.Reply {
	t.Helper()
	var in, out strings.Builder
	for _, r := range requests {
		if err := json.NewEncoder(&in).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Main(t.Context(), strings.NewReader(in.String()), &out); err != nil {
		t.Fatal(err)
	}
	var replies []child.Reply
	for answers := json.NewDecoder(strings.NewReader(out.String())); ; {
		var r child.Reply
		if err := answers.Decode(&r); errors.Is(err, io.EOF) {
			return replies
		} else if err != nil {
			t.Fatal(err)
		}
		replies = append(replies, r)
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	replies := ask(t,
		child.Request{},
		child.Request{Serve: &child.Serve{Peer: "telegram"}},
		child.Request{Dial: &child.Dial{Peer: "telegram"}},
		child.Request{Serve: &child.Serve{Peer: "raw", Path: filepath.Join(t.TempDir(), "missing", "s")}},
		child.Request{Serve: &child.Serve{Peer: "raw", Path: filepath.Join(t.TempDir(), "s"), Files: true}},
		child.Request{Usage: &child.Usage{Settle: true}},
	)
	if len(replies) != 6 {
		t.Fatalf("got %d answers to 6 requests", len(replies))
	}
	for i, r := range replies[:5] {
		if r.Error == "" {
			t.Errorf("request %d: got %+v, want an error", i+1, r)
		}
	}
	if r := replies[5]; r.Error != "" || r.Usage.CPU <= 0 || r.Usage.Mallocs == 0 || r.Usage.Heap == 0 || r.Usage.RSS == 0 || r.Usage.FDs == 0 {
		t.Errorf("usage after errors: got %+v", r)
	}
}
