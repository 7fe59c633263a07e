package filewalk_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB) *os.File {
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

// hold returns a message that holds h, as the runtime makes it.
func hold(id uint64, h *openfile.Holder) *udsgrpcv1.File {
	message := &udsgrpcv1.File{Id: id}
	openfile.Put(openfile.In(message), h)
	return message
}

// newFile returns a message that holds nothing, as it is decoded.
func newFile(id uint64) *udsgrpcv1.File { return &udsgrpcv1.File{Id: id} }

// everywhere returns a message with a File in each kind of field, and the fields in the order in which they
// are visited. The ids are not in that order.
func everywhere(file func(id uint64) *udsgrpcv1.File) (*filetestv1.Shapes, []uint64, []string) {
	nested := func(id uint64) *filetestv1.Nested { return &filetestv1.Nested{File: file(id)} }
	message := &filetestv1.Shapes{
		File:      file(21),
		Files:     []*udsgrpcv1.File{file(32), file(31)},
		ByName:    map[string]*udsgrpcv1.File{"b": file(42), "": file(41), "c\n": file(43)},
		ByNumber:  map[int32]*filetestv1.Nested{1: nested(53), -2: nested(51), 0: nested(52), 7: {Text: "no file"}},
		Choice:    &filetestv1.Shapes_Chosen{Chosen: file(61)},
		Nested:    nested(91),
		List:      []*filetestv1.Nested{{}, nested(101)},
		ByFlag:    map[bool]*udsgrpcv1.File{true: file(112), false: file(111)},
		BySize:    map[uint64]*udsgrpcv1.File{1 << 63: file(122), 10: file(121)},
		Delimited: nested(141),
		Ping:      &filetestv1.Ping{Pong: &filetestv1.Pong{Ping: &filetestv1.Ping{Pong: &filetestv1.Pong{File: file(151)}}, File: file(152)}},
		Plain:     &filetestv1.Plain{Text: "no file"},
	}
	message.Again = &filetestv1.Shapes{
		Choice: &filetestv1.Shapes_ChosenNested{ChosenNested: nested(131)},
		File:   file(132),
	}
	return message,
		[]uint64{21, 32, 31, 41, 42, 43, 51, 52, 53, 61, 91, 101, 111, 112, 121, 122, 132, 131, 141, 151, 152},
		[]string{
			"file", "files[0]", "files[1]", `by_name[""]`, `by_name["b"]`, `by_name["c\n"]`, "by_number[-2].file", "by_number[0].file", "by_number[1].file",
			"chosen", "nested.file", "list[1].file", "by_flag[false]", "by_flag[true]", "by_size[10]", "by_size[9223372036854775808]",
			"again.file", "again.chosen_nested.file", "delimited.file", "ping.pong.ping.pong.file", "ping.pong.file",
		}
}
