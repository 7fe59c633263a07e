package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// tapPrinter prints calls.
type tapPrinter struct {
	*output // that of the verb, with a buffer
	buffer  *bufio.Writer
	encoder *json.Encoder
	users   *userNames
}

func newTapPrinter(out *output) *tapPrinter {
	buffered := *out
	buffer := bufio.NewWriterSize(out.Writer, 64<<10)
	buffered.Writer = buffer
	return &tapPrinter{&buffered, buffer, encoderOf(buffer), new(userNames)}
}

func (p *tapPrinter) flush() error { return p.buffer.Flush() }

// tapColumns are the columns but the last, STATUS, which has colours. A width below zero is of what stands to
// the right. Most lines fit into a terminal of 120 columns.
var tapColumns = []struct {
	heading string
	width   int
}{{"TIME", 15}, {"VIA", 6}, {"CLIENT", 16}, {"USER", 6}, {"METHOD", 32}, {"TOOK", -7}, {"IN", -8}, {"OUT", -8}}

// line prints a line. It makes no use of fmt, as a busy server has thousands of calls a second, on cores that it
// shares with this program.
func (p *tapPrinter) line(status string, cells ...string) error {
	b := p.buffer.AvailableBuffer()
	for i, column := range tapColumns {
		gap := max(max(column.width, -column.width)-utf8.RuneCountInString(cells[i]), 0)
		if column.width < 0 {
			b = append(b, spaces[:gap]...)
		}
		b = append(b, cells[i]...)
		if column.width > 0 {
			b = append(b, spaces[:gap]...)
		}
		b = append(b, "  "...)
	}
	b = append(b, status...)
	_, err := p.buffer.Write(append(b, '\n'))
	return err
}

// spaces are as many as the widest column.
const spaces = "                                "

func (p *tapPrinter) begin() error {
	if p.json {
		return nil
	}
	var headings []string
	for _, column := range tapColumns {
		headings = append(headings, column.heading)
	}
	return errors.Join(p.line("STATUS", headings...), p.flush())
}

func (p *tapPrinter) call(c *inspectv1.Call) error {
	if p.json {
		return p.encoder.Encode(callObjectOf(c))
	}
	code := codes.Code(c.GetCode())
	err := p.line(p.verdict(code == codes.OK, code.String()),
		c.GetTime().AsTime().Local().Format("15:04:05.000000"), transportName(c.GetTransport()),
		programOf(c.GetCaller()), userOf(c.GetCaller(), p.users), quoteOr(c.GetMethod(), "other"), short(c.GetDuration().AsDuration()),
		traffic(c.GetRequests(), c.GetRequestBytes()), traffic(c.GetResponses(), c.GetResponseBytes()))
	if err != nil || c.GetContents() == nil {
		return err
	}
	_, err = p.buffer.WriteString(contentsText(c.GetContents()))
	return err
}

func (p *tapPrinter) dropped(n uint64) error {
	if p.json {
		return p.encoder.Encode(droppedObject{n})
	}
	_, err := fmt.Fprintln(p, p.bad(fmt.Sprintf("(%d calls are not shown: they came faster than they could be)", n)))
	return err
}

func transportName(t inspectv1.Transport) string {
	switch t {
	case inspectv1.Transport_TRANSPORT_UNSPECIFIED:
		return "-"
	case inspectv1.Transport_TRANSPORT_DIRECT:
		return "direct"
	case inspectv1.Transport_TRANSPORT_HTTP2:
		return "http2"
	case inspectv1.Transport_TRANSPORT_RING:
		return "ring"
	default:
		return t.String() // of a later version
	}
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
	size := strconv.FormatUint(bytes, 10) + " B"
	switch {
	case bytes >= 10<<20:
		size = strconv.FormatUint(bytes>>20, 10) + " MiB"
	case bytes >= 10<<10:
		size = strconv.FormatUint(bytes>>10, 10) + " KiB"
	}
	switch messages {
	case 0:
		return "-"
	case 1:
		return size
	default:
		return strconv.FormatUint(messages, 10) + ": " + size
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
