package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	"github.com/udsgrpc/udsgrpc/internal/inspectwire"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// topPrinter prints pictures one after the other.
type topPrinter struct {
	topPicture
	once bool
	any  bool // something was printed
}

// show prints all pictures but the first of a server, which has no time before it.
func (p *topPrinter) show(d *viewer.Difference) error {
	if d.First {
		return nil
	}
	if err := p.print(d); err != nil {
		return err
	}
	if p.once {
		return errShown
	}
	return nil
}

func (p *topPrinter) print(d *viewer.Difference) error {
	if p.json {
		return p.object(pictureOf(p.path, d))
	}
	text := p.draw(d, unlimited)
	if p.any {
		text = "\n" + text
	}
	p.any = true
	_, err := io.WriteString(p, text)
	return err
}

func (p *topPrinter) gone(d socket.Diagnosis) error {
	if p.any && !p.json {
		if _, err := fmt.Fprintln(p); err != nil {
			return err
		}
	}
	return p.diagnosis(p.path, d)
}

// nothingToSee says why a server shows nothing, and returns the status to exit with.
func (o *output) nothingToSee(ctx context.Context, path string, err error) error {
	if d := socket.Diagnose(ctx, path); d.Condition != socket.Ready && !errors.As(err, new(*inspectwire.DeniedError)) {
		if err := o.diagnosis(path, d); err != nil {
			return err
		}
		return exit(conditionStatus(d.Condition))
	}
	code, text := explainBlind(err)
	status := codeStatus(code)
	if o.json {
		err = o.object(blindObject{Path: path, Code: code.String(), Message: text, Status: status})
	} else {
		_, err = fmt.Fprintf(o, "%s: %s\n\t%s\n", clean(path), o.bad(code.String()), clean(text))
	}
	if err != nil {
		return err
	}
	return exit(status)
}

// blindObject is a server that shows nothing, in JSON.
type blindObject struct {
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status"` // to exit with
}

func explainBlind(err error) (codes.Code, string) {
	var denied *inspectwire.DeniedError
	switch {
	case errors.Is(err, inspectwire.ErrNone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return codes.Unimplemented, "there is nothing to see: it is no server of udsgrpc, or one of a version without inspection, or its program gives grpc credentials of its own"
	case errors.As(err, &denied) && denied.Answer == inspectwire.Denied:
		return codes.PermissionDenied, denied.Text
	case errors.As(err, &denied) && denied.Answer == inspectwire.Draining, errors.Is(err, viewer.ErrGone):
		return codes.Unavailable, err.Error()
	case errors.As(err, &denied):
		return codes.Unimplemented, denied.Text
	case errors.Is(err, context.DeadlineExceeded):
		return codes.Unavailable, fmt.Sprintf("it does not say whether it lets you look, in %v", viewer.AskTimeout)
	default:
		s := status.Convert(cmp.Or(errors.Unwrap(err), err)) // without blind, whose text would be added
		return s.Code(), s.Message()
	}
}
