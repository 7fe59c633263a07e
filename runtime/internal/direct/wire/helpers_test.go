package wire

import (
	"encoding/binary"
	"errors"
	"strings"
)

// announce is the header of a frame whose content does not follow.
func announce(k Kind, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{byte(k)}, n) }

func isViolation(err error, reason string) bool {
	var v Violation
	return errors.As(err, &v) && strings.Contains(err.Error(), reason)
}
