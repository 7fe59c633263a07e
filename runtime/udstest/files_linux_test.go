package udstest_test

import (
	"context"
	"io"
	"os"
	"testing"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
	"github.com/udsgrpc/udsgrpc/runtime/udstest"
)

// copier answers with a pipe that has the content of the file of the request.
type copier struct {
	filetestv1.UnimplementedFilesServer
}

func (copier) Swap(_ context.Context, req *filetestv1.Shapes) (*filetestv1.Shapes, error) {
	in, err := req.GetFile().Take()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := io.Copy(w, in); err != nil {
		return nil, err
	}
	return &filetestv1.Shapes{File: runtime.GiveFile(r)}, nil
}

func TestCallsCarryOpenFiles(t *testing.T) {
	t.Parallel()
	client := udstest.Serve(t, filetestv1.NewFilesUDSServer, filetestv1.DialFilesUDS, copier{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	const text = "through two pipes"
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	w.Close()
	resp, err := client.Swap(t.Context(), &filetestv1.Shapes{File: runtime.GiveFile(r)})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp.GetFile()); got != text {
		t.Errorf("the answer has %q, want %q", got, text)
	}
}

func read(t *testing.T, f *udsgrpcv1.File) string {
	t.Helper()
	file, err := f.Take()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
