// Package capture keeps calls in files, as "udsgrpc tap --write" does, in the format pcapng: see
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html.
//
// A file has one section with one interface, whose link type is LINKTYPE_USER0 (147). Each packet is a
// message udsgrpc.inspect.v1.Call in protobuf's binary encoding, at the time at which the call ended, with
// nanoseconds. Calls that the viewer was not told of, as it was too slow, are epb_dropcount of the next packet, and
// all of them are isb_ifdrop of a block of statistics at the end, if there is one.
//
// Reader takes sections of either byte order, any number of interfaces, and other blocks, which it skips. So
// files that other programs have cut, filtered or merged can be read, too.
package capture

import "encoding/binary"

const (
	linkTypeUser0 = 147

	blockSection    = 0x0A0D0D0A
	blockInterface  = 1
	blockStatistics = 5
	blockPacket     = 6

	byteOrderMagic = 0x1A2B3C4D

	optionEnd         = 0
	optionSectionApp  = 4
	optionInterface   = 2
	optionDescription = 3
	optionResolution  = 9
	optionPacketDrops = 4
	optionAllDrops    = 5

	// maxBlock is how long a block may be that Reader takes. A call is much smaller.
	maxBlock = 16 << 20
)

// nativeOrder is what Writer writes in.
var nativeOrder = binary.LittleEndian

func padded(n int) int { return (n + 3) &^ 3 }
