package udsgrpcv1_test

import (
	"fmt"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

// A handler takes the file of a request and closes it.
func ExampleFile_Take() {
	handle := func(output *udsgrpcv1.File) error { // such as request.GetOutput()
		f, err := output.Take()
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
		defer f.Close()
		_, err = fmt.Fprintln(f, "a line of the log")
		return err
	}
	fmt.Println(handle(nil))
	// Output: output: no open file came with this message
}
