package filewalk_test

import (
	"encoding/binary"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
	filetestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/filetest/v1"
)

// Whatever a peer sends, each descriptor is in one field at most, and none is left when the call ends.
func FuzzReceive(f *testing.F) {
	message, ids, _ := everywhere(newFile)
	encoded, err := proto.Marshal(message)
	if err != nil {
		f.Fatal(err)
	}
	var all []byte
	for _, id := range ids {
		all = binary.LittleEndian.AppendUint64(all, id)
	}
	f.Add(encoded, all)
	f.Add(encoded, all[:16])
	f.Add([]byte{0x12, 0, 0x1a, 0, 0x1a, 0}, make([]byte, 24)) // ids that are 0
	f.Add([]byte{0x12, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0x12, 9, 9, 2, 0, 0, 0, 0, 0, 0, 0}, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, encoded, ids []byte) {
		r, w := pipe(t)
		defer r.Close()
		defer w.Close()
		var numbers []uint64
		for ; len(ids) >= 8 && len(numbers) < filewalk.MaxPerMessage; ids = ids[8:] {
			numbers = append(numbers, binary.LittleEndian.Uint64(ids))
		}
		quota := openfile.NewQuota(filewalk.MaxPerMessage, nil)
		intake := openfile.NewServerIntake(quota)
		arrival := filewalk.Arrival{Files: arrive(t, w, numbers...), Intake: intake}
		intake.Arrived(len(numbers))
		message := new(filetestv1.Shapes)
		if err := proto.Unmarshal(encoded, message); err != nil {
			arrival.Close()
		} else {
			arrival.Receive(message)
		}
		if n := descriptors(t, r) - 2; n != quota.Used() || n > len(numbers) {
			t.Errorf("of %d descriptors %d are open and %d count", len(numbers), n, quota.Used())
		}
		intake.End()
		if n := descriptors(t, r); n != 2 || quota.Used() != 0 {
			t.Errorf("after the call the pipe has %d descriptors, want its two ends; %d count", n, quota.Used())
		}
	})
}
