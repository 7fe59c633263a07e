package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// tapPrinter prints calls.
type tapPrinter struct {
	*output // that of the verb, with a buffer
	buffer  *bufio.Writer
	users   *userNames
}

func newTapPrinter(out *output) *tapPrinter {
	buffered := *out
	buffer := bufio.NewWriterSize(out.Writer, 64<<10)
	buffered.Writer = buffer
	return &tapPrinter{&buffered, buffer, new(userNames)}
}

func (p *tapPrinter) flush() error { return p.buffer.Flush() }

// tapLine are the columns, with the colour in the last.
const tapLine = "%-15s  %-6s  %-20s  %-8s  %-36s  %10s  %10s  %10s  %s\n"

func (p *tapPrinter) begin() error {
	if p.json {
		return nil
	}
	_, err := fmt.Fprintf(p, tapLine, "TIME", "VIA", "CLIENT", "USER", "METHOD", "TOOK", "IN", "OUT", "STATUS")
	return errors.Join(err, p.flush())
}

func (p *tapPrinter) call(c *inspectv1.Call) error {
	if p.json {
		return p.object(callObjectOf(c))
	}
	code := codes.Code(c.GetCode())
	_, err := fmt.Fprintf(p, tapLine+"%s", c.GetTime().AsTime().Local().Format("15:04:05.000000"), transportName(c.GetTransport()),
		programOf(c.GetCaller()), userOf(c.GetCaller(), p.users), quoteOr(c.GetMethod(), "other"), short(c.GetDuration().AsDuration()),
		traffic(c.GetRequests(), c.GetRequestBytes()), traffic(c.GetResponses(), c.GetResponseBytes()), p.verdict(code == codes.OK, code.String()),
		contentsText(c.GetContents()))
	return err
}

func (p *tapPrinter) dropped(n uint64) error {
	if p.json {
		return p.object(droppedObject{n})
	}
	_, err := fmt.Fprintln(p, p.bad(fmt.Sprintf("(%d calls are not shown: they came faster than they could be)", n)))
	return err
}

func transportName(t inspectv1.Transport) string {
	name := strings.ToLower(strings.TrimPrefix(t.String(), "TRANSPORT_"))
	if t == inspectv1.Transport_TRANSPORT_UNSPECIFIED {
		return "-"
	}
	return clean(name)
}

// short is a duration with three digits or so.
func short(d time.Duration) string {
	unit := time.Duration(1)
	for d >= 1000*unit && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit).String()
}

// traffic is how much went in one direction.
func traffic(messages, bytes uint64) string {
	size := fmt.Sprintf("%d B", bytes)
	switch {
	case bytes >= 10<<20:
		size = fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 10<<10:
		size = fmt.Sprintf("%d KiB", bytes>>10)
	}
	switch messages {
	case 0:
		return "-"
	case 1:
		return size
	default:
		return fmt.Sprintf("%d: %s", messages, size)
	}
}

// contentsText are lines with what is in a call.
func contentsText(c *inspectv1.Contents) string {
	var b strings.Builder
	for _, h := range c.GetHeaders() {
		fmt.Fprintf(&b, "\t> %s: %s\n", clean(h.GetKey()), clean(h.GetValue()))
	}
	for _, m := range c.GetMessages() {
		mark := ">"
		if m.GetResponse() {
			mark = "<"
		}
		fmt.Fprintf(&b, "\t%s %s\n", mark, clean(m.GetJson()))
	}
	if n := c.GetLeftOut(); n > 0 {
		fmt.Fprintf(&b, "\t(messages that are not shown, as they are large or many: %d)\n", n)
	}
	if text := c.GetStatusMessage(); text != "" {
		fmt.Fprintf(&b, "\t! %s\n", clean(text))
	}
	return b.String()
}

// callObject is a call in JSON.
type callObject struct {
	Time          time.Time       `json:"time"`
	Seconds       float64         `json:"seconds"`
	Transport     string          `json:"transport"`
	Program       string          `json:"program,omitempty"`
	PID           *int64          `json:"pid,omitempty"`
	UID           *uint32         `json:"uid,omitempty"`
	Method        string          `json:"method"`
	Requests      uint64          `json:"requests"`
	RequestBytes  uint64          `json:"request_bytes"`
	Responses     uint64          `json:"responses"`
	ResponseBytes uint64          `json:"response_bytes"`
	Code          string          `json:"code"`
	Contents      *contentsObject `json:"contents,omitempty"`
}

type contentsObject struct {
	StatusMessage string          `json:"status_message,omitempty"`
	Headers       []headerObject  `json:"headers"`
	Messages      []messageObject `json:"messages"`
	LeftOut       uint64          `json:"left_out,omitempty"`
}

type headerObject struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type messageObject struct {
	From    string          `json:"from"` // client or server
	Message json.RawMessage `json:"message"`
}

// droppedObject says that calls are not shown.
type droppedObject struct {
	Dropped uint64 `json:"dropped"`
}

func callObjectOf(c *inspectv1.Call) callObject {
	caller := cmp.Or(c.GetCaller(), &inspectv1.Caller{}) // a file may have none
	o := callObject{
		Time: c.GetTime().AsTime(), Seconds: c.GetDuration().AsDuration().Seconds(), Transport: transportName(c.GetTransport()),
		Program: c.GetCaller().GetProgram(), PID: caller.Pid, UID: caller.Uid, Method: c.GetMethod(),
		Requests: c.GetRequests(), RequestBytes: c.GetRequestBytes(), Responses: c.GetResponses(), ResponseBytes: c.GetResponseBytes(),
		Code: codes.Code(c.GetCode()).String(),
	}
	if c.GetContents() == nil {
		return o
	}
	o.Contents = &contentsObject{
		StatusMessage: c.GetContents().GetStatusMessage(), Headers: []headerObject{}, Messages: []messageObject{},
		LeftOut: c.GetContents().GetLeftOut(),
	}
	for _, h := range c.GetContents().GetHeaders() {
		o.Contents.Headers = append(o.Contents.Headers, headerObject{h.GetKey(), h.GetValue()})
	}
	for _, m := range c.GetContents().GetMessages() {
		text := []byte(m.GetJson())
		if !json.Valid(text) { // a file may have anything
			text, _ = json.Marshal(m.GetJson())
		}
		from := "client"
		if m.GetResponse() {
			from = "server"
		}
		o.Contents.Messages = append(o.Contents.Messages, messageObject{from, text})
	}
	return o
}
