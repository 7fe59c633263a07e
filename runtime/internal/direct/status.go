package direct

import (
	"encoding/binary"
	"math"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const detailsKey = "grpc-status-details-bin"

// errHeaderSize is grpc's.
var errHeaderSize = status.Error(codes.Internal, "transport: trying to send header list size larger than the limit set by peer")

// statusHead is the content of a status frame:
//
//	uvarint  1 if the server takes no more calls on this connection, else 0
//	uvarint  code
//	bytes    message
//	metadata the trailer, with the details as in HTTP/2
type statusHead struct {
	last    bool
	code    uint32
	message string
	md      metadata.MD // nil if empty
}

func (h *statusHead) append(b []byte) []byte {
	last := uint64(0)
	if h.last {
		last = 1
	}
	b = binary.AppendUvarint(b, last)
	b = binary.AppendUvarint(b, uint64(h.code))
	b = binary.AppendUvarint(b, uint64(len(h.message)))
	b = append(b, h.message...)
	return appendMetadata(b, h.md)
}

func parseStatus(b []byte) (h statusHead, err error) {
	c := cursor{rest: b}
	h.last = c.uvarint() != 0
	code := c.uvarint()
	if code > math.MaxUint32 {
		return h, violationf("status code %d", code)
	}
	h.code = uint32(code)
	h.message = string(c.bytes())
	h.md = c.metadata()
	return h, c.end()
}

// err returns the status as a caller gets it; nil for OK.
func (h *statusHead) err() error {
	if h.code == uint32(codes.OK) {
		return nil
	}
	if h.code > math.MaxInt32 {
		return status.Errorf(codes.Unknown, "transport: malformed grpc-status: strconv.ParseInt: parsing \"%d\": value out of range", h.code)
	}
	if details := h.md[detailsKey]; len(details) > 0 {
		p := &spb.Status{}
		if proto.Unmarshal([]byte(details[0]), p) == nil {
			return status.ErrorProto(p)
		}
	}
	return status.Error(codes.Code(h.code), h.message)
}

// appendStatus appends the frame that ends the call.
func appendStatus(b []byte, st *status.Status, trailer metadata.MD, last bool) []byte {
	md := sendable(trailer)
	if err := unreadable(md); err != nil {
		st, md = status.Convert(err), nil
	}
	// Handlers may return a text that is not UTF-8; status messages must be UTF-8.
	h := statusHead{last: last, code: uint32(st.Code()), message: string([]rune(st.Message())), md: md}
	if st.Code() != codes.OK {
		if p := st.Proto(); len(p.GetDetails()) > 0 {
			if details, err := proto.Marshal(p); err == nil {
				h.md = metadata.Join(h.md, nil)
				h.md[detailsKey] = []string{string(details)}
			}
		}
	}
	if sizeOf(h.md)+len(h.message) > maxHead {
		st := status.Convert(errHeaderSize)
		h = statusHead{last: last, code: uint32(st.Code()), message: st.Message()}
	}
	b, start := openFrame(b, kindStatus)
	b = h.append(b)
	closeFrame(b, start)
	return b
}
