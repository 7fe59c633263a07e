package openfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
)

func open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func isOpen(f *os.File) bool {
	_, err := f.Stat()
	return err == nil
}

// makers make holders in each of the ways there are.
var makers = map[string]func(*os.File) *openfile.Holder{
	"share":   openfile.Share,
	"give":    openfile.Give,
	"receive": func(f *os.File) *openfile.Holder { return openfile.Receive(f, nil) },
}

// Each row is what a program or a call does to a holder, one after the other.
func TestEachStateAllowsWhatItShould(t *testing.T) {
	t.Parallel()
	const (
		none    = "no open file came with this message"
		before  = "the open file was taken or closed before"
		closed  = "the file is closed"
		taken   = "the file was taken"
		away    = "it was given away before, and what GiveFile made is sent once"
		success = ""
	)
	type does struct{ what, want string }
	for _, test := range []struct {
		make string
		do   []does
		open bool // the file, in the end
	}{
		{"share", []does{{"take", none}, {"send", success}, {"send", success}, {"sent", success}, {"send", success}}, true},
		{"share", []does{{"close", success}, {"close", success}, {"send", closed}, {"take", before}}, true},
		{"share", []does{{"discard", success}, {"send", success}}, true},
		{"give", []does{{"take", none}, {"send", success}, {"send", away}, {"take", none}}, true},
		{"give", []does{{"send", success}, {"close", success}, {"discard", success}}, true},
		{"give", []does{{"send", success}, {"sent", success}, {"sent", success}, {"send", away}, {"close", success}, {"take", none}}, false},
		{"give", []does{{"close", success}, {"send", closed}, {"take", before}}, false},
		{"give", []does{{"discard", success}, {"send", away}, {"close", success}}, false},
		{"receive", []does{{"take", success}, {"take", before}, {"send", taken}, {"close", success}, {"discard", success}}, true},
		{"receive", []does{{"close", success}, {"take", before}, {"send", closed}}, false},
		{"receive", []does{{"send", success}, {"sent", success}, {"send", success}, {"discard", success}, {"take", success}}, true},
	} {
		f := open(t)
		h := makers[test.make](f)
		var use openfile.Use
		var steps strings.Builder
		steps.WriteString(test.make)
		for _, do := range test.do {
			steps.WriteString(", " + do.what)
			var err error
			switch do.what {
			case "take":
				_, err = h.Take()
			case "close":
				err = h.Close()
			case "discard":
				h.Discard()
			case "send":
				var sends openfile.Use
				if sends, err = h.Send(); err == nil {
					use = sends
				}
			case "sent":
				use.Sent()
			}
			if err != nil && err.Error() != do.want || err == nil && do.want != success {
				t.Errorf("%s: got the error %v, want %q", steps.String(), err, do.want)
			}
		}
		if isOpen(f) != test.open {
			t.Errorf("%s: the file is open: %t, want %t", steps.String(), isOpen(f), test.open)
		}
	}
}

func TestEmptySlotHasNothing(t *testing.T) {
	t.Parallel()
	var h *openfile.Holder
	h.Discard()
	if _, err := h.Send(); err == nil || !strings.HasPrefix(err.Error(), "it is a copy, or was not made by ShareFile or GiveFile") {
		t.Errorf("Send: got the error %v", err)
	}
}

func TestFileThatTheProgramHasClosedIsNotSent(t *testing.T) {
	t.Parallel()
	for name, make := range makers {
		f := open(t)
		f.Close()
		if _, err := make(f).Send(); err == nil || err.Error() != "the file is closed" {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}

func TestOneOfManySendsWhatWasGivenAway(t *testing.T) {
	t.Parallel()
	for range 100 {
		f := open(t)
		h := openfile.Give(f)
		var mu sync.Mutex
		var uses []openfile.Use
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if use, err := h.Send(); err == nil {
					mu.Lock()
					uses = append(uses, use)
					mu.Unlock()
				}
				h.Close() // closes nothing that is on its way
			})
		}
		all.Wait()
		if len(uses) > 1 {
			t.Fatalf("%d have sent it", len(uses))
		}
		if len(uses) == 1 {
			if !isOpen(f) {
				t.Fatal("the file was closed while it was sent")
			}
			uses[0].Sent()
		}
		if isOpen(f) {
			t.Fatal("nobody has closed the file")
		}
	}
}
