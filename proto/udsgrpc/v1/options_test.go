package udsgrpcv1_test

import (
	"hash/crc32"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

func TestNumbersComeFromNames(t *testing.T) {
	t.Parallel()
	for _, option := range []protoreflect.ExtensionType{udsgrpcv1.E_Service, udsgrpcv1.E_Method} {
		desc := option.TypeDescriptor()
		want := protoreflect.FieldNumber(50000 + crc32.ChecksumIEEE([]byte(desc.FullName()))%50000)
		if desc.Number() != want {
			t.Errorf("%s has the number %d, want %d", desc.FullName(), desc.Number(), want)
		}
	}
}
