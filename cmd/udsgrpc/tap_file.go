package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/capture"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// callSink is where calls go: to the output, or to a file.
type callSink interface {
	call(*inspectv1.Call) error
	dropped(uint64) error // calls that are missing here
	flush() error
}

// sinkOf returns where calls go. end ends it.
func sinkOf(verb *cobra.Command, out *output, path string, o tapOptions) (calls callSink, end func() error, err error) {
	if o.write == "" {
		p := newTapPrinter(out)
		return p, p.flush, p.begin()
	}
	file, err := create(verb, o.write)
	if err != nil {
		return nil, nil, err
	}
	buffer := bufio.NewWriterSize(file, 64<<10)
	w, err := capture.NewWriter(buffer, "udsgrpc "+toolVersion(), path)
	k := &fileKeeper{w, buffer}
	end = func() error {
		return errors.Join(w.Close(), buffer.Flush(), file.Close())
	}
	if err == nil {
		err = k.flush()
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return k, end, nil
}

// create creates a file that only its owner may read. One that is there is left alone, unless it is a pipe or a
// device.
func create(verb *cobra.Command, name string) (io.WriteCloser, error) {
	if name == "-" {
		return nopCloser{verb.OutOrStdout()}, nil
	}
	if info, err := os.Stat(name); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeDevice) != 0 {
		return os.OpenFile(name, os.O_WRONLY, 0)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: --write makes a new file: give another name, or move that file away", err)
	}
	return file, err
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// fileKeeper keeps calls in a file.
type fileKeeper struct {
	*capture.Writer
	buffer *bufio.Writer
}

func (k *fileKeeper) call(c *inspectv1.Call) error { return k.Call(c) }
func (k *fileKeeper) dropped(n uint64) error       { k.Dropped(n); return nil }
func (k *fileKeeper) flush() error                 { return k.buffer.Flush() }

// tapFile prints the calls of a file.
func tapFile(verb *cobra.Command, o tapOptions) error {
	file := verb.InOrStdin()
	if o.read != "-" {
		opened, err := os.Open(o.read)
		if err != nil {
			return fileFailed(verb, err)
		}
		defer opened.Close()
		file = opened
	}
	p := newTapPrinter(outputOf(verb))
	err := p.begin()
	r := capture.NewReader(file)
	for n := 0; err == nil && verb.Context().Err() == nil && (o.count == 0 || n < o.count); n++ {
		var call *inspectv1.Call
		var dropped uint64
		call, dropped, err = r.Next()
		if dropped > 0 {
			err = errors.Join(p.dropped(dropped), err)
		}
		if err == nil {
			err = p.call(call)
		}
	}
	err = errors.Join(p.flush(), err)
	if err != nil && !errors.Is(err, io.EOF) {
		return fileFailed(verb, fmt.Errorf("read %s: %w", o.read, err))
	}
	return nil
}

// fileFailed says what is wrong with a file.
func fileFailed(verb *cobra.Command, err error) error {
	fmt.Fprintf(verb.ErrOrStderr(), "%s: %s\n", verb.CommandPath(), clean(err.Error()))
	return exit(statusFile)
}
