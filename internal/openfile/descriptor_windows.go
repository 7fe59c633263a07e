package openfile

import (
	"errors"
	"os"
	"syscall"
)

// Duplicate fails: files are passed on Linux only.
func Duplicate(*os.File) (int, error) { return -1, errors.ErrUnsupported }

// CloseDescriptor closes a handle that is in no [os.File].
func CloseDescriptor(fd int) { syscall.CloseHandle(syscall.Handle(fd)) }
