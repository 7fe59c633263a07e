// Command varlink serves and calls notes over a Unix socket with varlink.
package main

import (
	"context"
	"fmt"

	"github.com/varlink/go/varlink"

	"github.com/udsgrpc/udsgrpc/examples/migrate/gen/orgexamplenotes"
	"github.com/udsgrpc/udsgrpc/examples/migrate/notes"
)

func main() { notes.Main(serve, call) }

func serve(ctx context.Context, path string) error {
	service, err := varlink.NewService("Example", "Notes", "1", "https://example.org/notes")
	if err != nil {
		return err
	}
	if err := service.RegisterInterface(orgexamplenotes.VarlinkNew(&server{})); err != nil {
		return err
	}
	// 0600 as systemd's services have it.
	if err := service.Bind(ctx, "unix:"+path+";mode=0600"); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { service.Shutdown() })() // the end of ctx does not end DoListen
	fmt.Println("serving on", path)
	return service.DoListen(ctx, 0)
}

func call(ctx context.Context, path, line string) error {
	conn, err := varlink.NewConnection(ctx, "unix:"+path)
	if err != nil {
		return err
	}
	defer conn.Close()
	count, _, err := orgexamplenotes.Add().Call(ctx, conn, line)
	if err != nil {
		return err
	}
	fmt.Println(count, "lines")
	receive, err := orgexamplenotes.List().Send(ctx, conn, varlink.More)
	if err != nil {
		return err
	}
	for {
		line, flags, err := receive(ctx)
		if err != nil {
			return err
		}
		fmt.Println("-", line)
		if flags&varlink.Continues == 0 {
			return nil
		}
	}
}

type server struct {
	orgexamplenotes.VarlinkInterface
	notes notes.Notes
}

func (s *server) Add(ctx context.Context, c orgexamplenotes.VarlinkCall, line string) error {
	return c.ReplyAdd(ctx, int64(s.notes.Add(line)), line)
}

func (s *server) List(ctx context.Context, c orgexamplenotes.VarlinkCall) error {
	if !c.WantsMore() {
		return c.ReplyInvalidParameter(ctx, "more")
	}
	lines := s.notes.Lines()
	for i, line := range lines {
		c.Continues = i < len(lines)-1
		if err := c.ReplyList(ctx, line); err != nil {
			return err
		}
	}
	return nil
}
