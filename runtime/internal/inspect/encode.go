package inspect

import (
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// Each call of a busy server is told, so calls are encoded by hand: without memory for each of their parts, and
// once for all taps. These are the numbers of the fields in inspect.proto.
const (
	fieldCalls = 1 // of CallsResponse

	// of Call
	fieldTime          = 1
	fieldDuration      = 2
	fieldMethod        = 3
	fieldTransport     = 4
	fieldCaller        = 5
	fieldRequests      = 6
	fieldRequestBytes  = 7
	fieldResponses     = 8
	fieldResponseBytes = 9
	fieldCode          = 10
	fieldContents      = 11

	// of Timestamp and Duration
	fieldSeconds = 1
	fieldNanos   = 2

	// of Caller
	fieldUID     = 1
	fieldPID     = 2
	fieldProgram = 3
)

// append appends a Call without contents.
func (t *tapped) append(b []byte, took time.Duration, code codes.Code) []byte {
	b = appendTime(b, fieldTime, t.begun.Unix(), t.begun.Nanosecond())
	b = appendTime(b, fieldDuration, int64(took/time.Second), int(took%time.Second))
	if len(t.name) <= maxName {
		b = appendString(b, fieldMethod, strings.ToValidUTF8(t.name, "\uFFFD"))
	}
	b = appendNumber(b, fieldTransport, uint64(t.transport))
	b = t.appendCaller(b)
	b = appendNumber(b, fieldRequests, t.requests.messages.Load())
	b = appendNumber(b, fieldRequestBytes, t.requests.bytes.Load())
	b = appendNumber(b, fieldResponses, t.responses.messages.Load())
	b = appendNumber(b, fieldResponseBytes, t.responses.bytes.Load())
	return appendNumber(b, fieldCode, uint64(code))
}

func (t *tapped) appendCaller(b []byte) []byte {
	var space [64]byte
	c := space[:0]
	if t.caller.UID >= 0 {
		c = protowire.AppendTag(c, fieldUID, protowire.VarintType)
		c = protowire.AppendVarint(c, uint64(t.caller.UID))
	}
	if t.caller.PID > 0 {
		c = appendNumber(c, fieldPID, uint64(t.caller.PID))
	}
	return appendBytes(b, fieldCaller, appendString(c, fieldProgram, t.program))
}

func appendTime(b []byte, field protowire.Number, seconds int64, nanos int) []byte {
	var space [32]byte
	t := appendNumber(space[:0], fieldSeconds, uint64(seconds))
	return appendBytes(b, field, appendNumber(t, fieldNanos, uint64(nanos)))
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendString(b []byte, field protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}
