package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

func pictureWith(methods, clients int) *viewer.Difference {
	now := time.Unix(1700000000, 0)
	d := &viewer.Difference{
		Now: &inspectv1.SnapshotsResponse{
			Time:   timestamppb.New(now),
			Server: &inspectv1.Server{Pid: 7, Version: "v1\x1b[2J", Started: timestamppb.New(now.Add(-time.Hour))},
		},
		Seconds: 2,
	}
	for n := range methods {
		d.Methods = append(d.Methods, viewer.Method{Name: fmt.Sprintf("/m%d\x1b[2J\n", n), Ended: 3, Failed: 1,
			Codes: map[codes.Code]uint64{codes.NotFound: 1}, P50: 1234567, P99: 98765432, Total: uint64(n)})
	}
	for n := range clients {
		d.Clients = append(d.Clients, viewer.Client{Caller: &inspectv1.Caller{Pid: new(int64(n)), Program: "p\u009b"}})
	}
	return d
}

func drawn(d *viewer.Difference, lines int) string {
	return topPicture{&output{Writer: io.Discard}, "/a\x1b.sock", new(userNames)}.draw(d, lines)
}

func TestPictureFitsOnTheScreen(t *testing.T) {
	t.Parallel()
	for methods := range 8 {
		for clients := range 8 {
			d := pictureWith(methods, clients)
			whole := strings.Count(drawn(d, unlimited), "\n")
			if want := 4 + 2 + methods + 2 + clients; whole != want {
				t.Errorf("%d methods and %d clients take %d lines, want %d", methods, clients, whole, want)
			}
			for lines := 4; lines < whole+3; lines++ {
				text := drawn(d, lines)
				if n := strings.Count(text, "\n"); n > lines || lines >= whole && n != whole {
					t.Errorf("%d methods and %d clients take %d lines of %d:\n%s", methods, clients, n, lines, text)
				}
				if lines >= 8 && methods > 1 && !strings.Contains(text, "m1") && !strings.Contains(text, "more") {
					t.Errorf("in %d lines nothing tells of more methods:\n%s", lines, text)
				}
			}
		}
	}
}

func TestPictureHasNoOrdersToTheTerminal(t *testing.T) {
	t.Parallel()
	text := drawn(pictureWith(1, 1), unlimited)
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x9b }) {
		t.Errorf("it is %q", text)
	}
	for _, want := range []string{`"/m0\x1b[2J\n"  1.5      0.5       0          1.2ms  99ms  0      NotFound 1`, `"/a\x1b.sock"  process 7, udsgrpc v1\x1b[2J, up 1h0m0s`, `"p\u009b"`} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

func TestTimesHaveTwoDigits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0s", 7: "7ns", 99: "99ns", 123: "120ns", 4567: "4.6µs", 99500: "100µs", 1234567890: "1.2s", 3 * time.Hour: "3h0m0s"} {
		if got := took(viewer.Method{Ended: 1}, d); got != want {
			t.Errorf("%d ns are %q, want %q", d, got, want)
		}
	}
	if got := took(viewer.Method{}, 0); got != "-" {
		t.Errorf("no call took %q", got)
	}
}
