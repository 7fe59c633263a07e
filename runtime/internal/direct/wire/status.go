package wire

import (
	"encoding/binary"
	"math"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// DetailsKey is where the trailer has the details of a status.
const DetailsKey = "grpc-status-details-bin"

// ErrHeaderSize is grpc's error for a header that is too large to be sent. A trailer that is too large is
// replaced by it.
var ErrHeaderSize = status.Error(codes.Internal, "transport: trying to send header list size larger than the limit set by peer")

// Status is the content of a status frame:
//
//	uvarint  1 if the server takes no more calls on this connection, else 0
//	uvarint  code
//	bytes    message
//	metadata the trailer, with the details as in HTTP/2
type Status struct {
	Last    bool // the server takes no more calls on this connection
	Code    uint32
	Message string
	Trailer metadata.MD // nil if empty
}

// Append appends the content of the frame.
func (h *Status) Append(b []byte) []byte {
	last := uint64(0)
	if h.Last {
		last = 1
	}
	b = binary.AppendUvarint(b, last)
	b = binary.AppendUvarint(b, uint64(h.Code))
	b = binary.AppendUvarint(b, uint64(len(h.Message)))
	b = append(b, h.Message...)
	return AppendMetadata(b, h.Trailer)
}

// ParseStatus reads what Append wrote.
func ParseStatus(b []byte) (h Status, err error) {
	c := cursor{rest: b}
	h.Last = c.uvarint() != 0
	code := c.uvarint()
	if code > math.MaxUint32 {
		return h, Violationf("status code %d", code)
	}
	h.Code = uint32(code)
	h.Message = string(c.bytes())
	h.Trailer = c.metadata()
	return h, c.end()
}

// Err returns the status as a caller gets it; nil for OK. Details that contradict the code are an error, as
// over HTTP/2: a handler can set their key of the trailer.
func (h *Status) Err() error {
	if h.Code > math.MaxInt32 {
		return status.Errorf(codes.Unknown, "transport: malformed grpc-status: strconv.ParseInt: parsing \"%d\": value out of range", h.Code)
	}
	code := codes.Code(h.Code)
	if details := h.Trailer[DetailsKey]; len(details) == 1 {
		p := &spb.Status{}
		switch err := proto.Unmarshal([]byte(details[0]), p); {
		case err != nil: // not a status, so ignored
		case p.GetCode() == int32(code):
			return status.ErrorProto(p)
		default:
			return status.Errorf(codes.Internal, "grpc-status-details-bin mismatch: grpc-status=%v, grpc-message=%q, grpc-status-details-bin=%+v", code, h.Message, p)
		}
	}
	if code == codes.OK {
		return nil // without making a status
	}
	return status.Error(code, h.Message)
}

// AppendStatusFrame appends the whole frame that ends a call with st and a trailer. What cannot be sent
// becomes a status that says so.
func AppendStatusFrame(b []byte, st *status.Status, trailer metadata.MD, last bool) []byte {
	md := Sendable(trailer)
	if err := CheckAnswerMetadata(md); err != nil {
		st, md = status.Convert(err), nil
	}
	// Handlers may return a text that is not UTF-8; status messages must be UTF-8.
	h := Status{Last: last, Code: uint32(st.Code()), Message: string([]rune(st.Message())), Trailer: md}
	if st.Code() != codes.OK {
		if p := st.Proto(); len(p.GetDetails()) > 0 {
			if details, err := proto.Marshal(p); err == nil {
				h.Trailer = metadata.Join(h.Trailer, nil)
				h.Trailer[DetailsKey] = []string{string(details)}
			}
		}
	}
	if MetadataSize(h.Trailer)+len(h.Message) > MaxControl {
		st := status.Convert(ErrHeaderSize)
		h = Status{Last: last, Code: uint32(st.Code()), Message: st.Message()}
	}
	b, start := OpenFrame(b, KindStatus)
	b = h.Append(b)
	CloseFrame(b, start)
	return b
}
