package sockets

import (
	"slices"
	"strings"
	"testing"
)

const header = "Num       RefCount Protocol Flags    Type St Inode Path\n"

func TestTableIsRead(t *testing.T) {
	t.Parallel()
	got, err := readTable(strings.NewReader(header +
		"000000002b646ac2: 00000003 00000000 00000000 0001 03 83762818\n" + // a client, which has no path
		"00000000ab990bbb: 00000002 00000000 00010000 0001 01 60288463 /run/a b.sock\n" +
		"00000000ab990bbc: 00000002 00000000 00000000 0001 01 60288464 /run/bound.sock\n" +
		"0000000043e02679: 00000002 00000000 00000000 0001 03    16 /run/a b.sock\n" + // short numbers are padded
		"0000000000000000: 00000002 00000000 00000000 0002 01 17 /run/datagram\nwith: a newline\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 18 /run/new\nline\n\nend.sock\n" +
		"0000000000000000: 00000002 00000000 00010000 0001 01 19 @abstract\n" +
		"0000000000000000: 00000002 00000000 00000000 0001 02     0 @abstract\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{60288463, true, "/run/a b.sock"},
		{60288464, true, "/run/bound.sock"},
		{16, false, "/run/a b.sock"},
		{18, true, "/run/new\nline\n\nend.sock"},
		{19, true, "@abstract"},
		{0, false, "@abstract"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("the entries are %+v, want %+v", got, want)
	}
}

func FuzzTable(f *testing.F) {
	f.Add(header + "0: 2 0 10000 0001 01 1 /a\n")
	f.Add(header + "0: 2 0 10000 0001 01 1 /a\nb\n0: 2 0 0 0002 01 1 /b\nc")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := readTable(strings.NewReader(text))
		for _, e := range entries {
			if e.path == "" || err == nil && !strings.Contains(text, strings.SplitN(e.path, "\n", 2)[0]) {
				t.Errorf("%q has the entry %+v", text, e)
			}
		}
	})
}
