package direct

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
)

// announce is the header of a frame whose content does not follow.
func announce(k wire.Kind, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{byte(k)}, n) }

func isViolation(err error, reason string) bool {
	var v wire.Violation
	return errors.As(err, &v) && strings.Contains(err.Error(), reason)
}
