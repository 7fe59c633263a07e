// Package inspectwire has the first words between a viewer and the server whose inspection it asks for, on a
// connection to the server's socket. After them both speak HTTP/2, with the service of udsgrpc.inspect.v1.
//
//	viewer  Preface
//	server  UDSGRPC-INSPECT/v1.0, a space, and an Answer's line
package inspectwire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Preface is what a viewer sends first. It is as long as HTTP/2's preface, so that another server answers
// instead of waiting for more. It begins with another letter, so that one byte tells the two apart.
const Preface = greeting + "\r\n\r\n"

const (
	greeting = "UDSGRPC-INSPECT/v1.0"
	maxLine  = 512
)

// Answer is the server's.
type Answer string

const (
	Granted  Answer = "granted"
	Denied   Answer = "denied"   // to a user who may not
	Off      Answer = "off"      // the program has turned inspection off
	Draining Answer = "draining" // the server ends
)

// Append appends the line of an answer, with a text for people.
func (a Answer) Append(b []byte, text string) []byte {
	line := fmt.Sprintf("%s %s %s", greeting, a, strings.Map(printable, text))
	return append(b, line[:min(len(line), maxLine-1)]+"\n"...)
}

func printable(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// ErrNone means that the server does not know of inspection: it is none of udsgrpc, or its program has given
// grpc credentials of its own.
var ErrNone = errors.New("no inspection is there")

// DeniedError is an answer other than Granted.
type DeniedError struct {
	Answer Answer // may be none of those known here
	Text   string // for people; may have any characters
}

func (e *DeniedError) Error() string { return e.Text }

// Ask asks the server at the other end of conn. It returns ErrNone, a *DeniedError, or an error of conn, which
// includes the end of the connection.
func Ask(conn io.ReadWriter) error {
	if _, err := io.WriteString(conn, Preface); err != nil {
		return err
	}
	answer, text, err := readAnswer(conn)
	if err != nil {
		return err
	}
	if answer != Granted {
		return &DeniedError{answer, text}
	}
	return nil
}

// readAnswer reads a line and not more.
func readAnswer(r io.Reader) (a Answer, text string, err error) {
	start := make([]byte, len(greeting)+1)
	// HTTP/2 begins with a frame that has a zero there, and others with letters of their own.
	for n := range start {
		if _, err := io.ReadFull(r, start[n:n+1]); err != nil {
			return "", "", err
		}
		if start[n] != (greeting + " ")[n] {
			return "", "", ErrNone
		}
	}
	line, err := bufio.NewReaderSize(oneByte{io.LimitReader(r, maxLine)}, maxLine).ReadString('\n')
	if err != nil {
		return "", "", fmt.Errorf("the answer has no end: %w", io.ErrUnexpectedEOF)
	}
	word, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	return Answer(word), text, nil
}

// oneByte reads a byte at a time, so that what comes next stays in the connection.
type oneByte struct{ io.Reader }

func (r oneByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), 1)]) }
