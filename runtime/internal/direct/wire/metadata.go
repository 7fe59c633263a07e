package wire

import (
	"encoding/binary"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ValidateMetadata returns an error for metadata that grpc does not send, with grpc's text: a key with
// other characters than 0-9 a-z - _ . or a value that is not printable ASCII, unless the key ends in
// "-bin". As in grpc, a key that begins with a colon passes, and is not sent.
func ValidateMetadata(md metadata.MD) error {
	for key, values := range md {
		if key == "" {
			return fmt.Errorf("there is an empty key in the header")
		}
		if key[0] == ':' {
			continue
		}
		if strings.ContainsFunc(key, isNoKeyChar) {
			return fmt.Errorf("header key %q contains illegal characters not in [0-9a-z-_.]", key)
		}
		if strings.HasSuffix(key, "-bin") {
			continue
		}
		for _, value := range values {
			if strings.ContainsFunc(value, isNotPrintable) {
				return fmt.Errorf("header key %q contains value with non-printable ASCII characters", key)
			}
		}
	}
	return nil
}

// CheckRequestMetadata returns a Violation for metadata that a client must not send: handlers may write
// metadata to logs.
func CheckRequestMetadata(md metadata.MD) error {
	if err := ValidateMetadata(md); err != nil {
		return Violation(err.Error())
	}
	return nil
}

func isNoKeyChar(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
}

func isNotPrintable(r rune) bool { return r < 0x20 || r > 0x7e }

// isReserved reports whether grpc reserves a key for itself, and so does not send it for a program.
func isReserved(key string) bool {
	if key != "" && key[0] == ':' {
		return true
	}
	switch key {
	case "content-type", "user-agent", "te", "grpc-message-type", "grpc-encoding", "grpc-message", "grpc-status", "grpc-timeout":
		return true
	}
	return false
}

// Sendable returns md without what grpc does not send.
func Sendable(md metadata.MD) metadata.MD {
	var out metadata.MD
	for key := range md {
		if isReserved(key) {
			if out == nil {
				out = md.Copy()
			}
			delete(out, key)
		}
	}
	if out != nil {
		return out
	}
	return md
}

// MetadataSize returns how many bytes md takes in a frame at most, with a few for the other fields.
func MetadataSize(md metadata.MD) int {
	n := 64
	for key, values := range md {
		for _, value := range values {
			n += len(key) + len(value) + 2*binary.MaxVarintLen32
		}
	}
	return n
}

// What HTTP/2 adds to the metadata of a program. This package adds the same.
const (
	Authority   = "localhost"
	ContentType = "application/grpc"
	UserAgent   = "grpc-go/" + grpc.Version
)

// CheckAnswerMetadata returns the error of a client that receives metadata a server must not send, with
// the text of HTTP/2. A server's [grpc.SetHeader] and the like do not validate.
func CheckAnswerMetadata(md metadata.MD) error {
	for key, values := range md {
		if key == "" || strings.ContainsFunc(key, isNoTokenChar) {
			return status.Errorf(codes.Internal, "invalid header field name %q", key)
		}
		if strings.HasSuffix(key, "-bin") {
			continue
		}
		for _, value := range values {
			if strings.ContainsFunc(value, isControl) {
				return status.Errorf(codes.Internal, "invalid header field value for %q", key)
			}
		}
	}
	return nil
}

func isNoTokenChar(r rune) bool {
	return r <= ' ' || r >= 0x7f || r >= 'A' && r <= 'Z' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// AppendMetadata appends the content of an intro or header frame.
func AppendMetadata(b []byte, md metadata.MD) []byte {
	n := 0
	for _, values := range md {
		n += len(values)
	}
	b = binary.AppendUvarint(b, uint64(n))
	for key, values := range md {
		b = appendPairs(b, key, values)
	}
	return b
}

func appendPairs(b []byte, key string, values []string) []byte {
	for _, value := range values {
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	return b
}

// ParseMetadata reads what AppendMetadata wrote.
func ParseMetadata(b []byte) (metadata.MD, error) {
	c := cursor{rest: b}
	md := c.metadata()
	return md, c.end()
}
