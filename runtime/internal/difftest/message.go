package difftest

import (
	"bytes"
	"math/rand/v2"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// direction is which way messages go.
type direction int

const (
	requests direction = iota
	replies
)

// noise is what messages are cut from, so that making and checking one of 3 MiB costs little. It is
// shared by all, read only, and made when it is first needed.
var noise = sync.OnceValue(func() []byte {
	b := make([]byte, 6<<20)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(b)
	return b
})

// message is the i-th of a direction. Any two differ, if they are not very short.
func message(d direction, i, size int) *wrapperspb.BytesValue {
	return wrapperspb.Bytes(body(d, i, size))
}

// onTheWire returns how many bytes a message with a body of some size takes, with the five in front that
// both transports have.
func onTheWire(size int) int64 {
	return int64(5 + proto.Size(message(requests, 0, size)))
}

func body(d direction, i, size int) []byte {
	at := (2*i+int(d))*31%(2<<20) + 1
	return noise()[at : at+size : at+size]
}

// isMessage tells whether m is the i-th message of a direction, of whatever size.
func isMessage(d direction, i int, m *wrapperspb.BytesValue) bool {
	return len(m.GetValue()) <= 3<<20 && bytes.Equal(m.GetValue(), body(d, i, len(m.GetValue())))
}
