package direct

import (
	"context"
	"io"
	"time"
)

// http2Greeting is what a client of HTTP/2 sends first: the preface and an empty settings frame (RFC 9113, section 3.4).
const http2Greeting = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00" + http2Settings + "\x00\x00\x00\x00\x00"

// http2Settings is the type of the frame that a server of HTTP/2 sends first, too, the fourth byte of it.
const http2Settings = "\x04"

// speaksHTTP2 reports whether the server answers a client of HTTP/2 now.
func (c *Client) speaksHTTP2(ctx context.Context) bool {
	conn, _, err := c.conf.Dial(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(sooner(ctx, time.Time{}))
	stop := context.AfterFunc(c.closing, func() { conn.SetDeadline(time.Unix(0, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, http2Greeting); err != nil {
		return false
	}
	var header [9]byte
	_, err = io.ReadFull(conn, header[:])
	return err == nil && header[3] == http2Settings[0]
}
