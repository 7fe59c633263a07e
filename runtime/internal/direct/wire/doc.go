// Package wire has the bytes of the direct transport: how frames, and what is in them, are written and
// read. It has no socket, no goroutine and no stream; package direct has those. docs/direct-wire.md
// describes the format.
//
//	preface.go     what both ends send first
//	frame.go       the kinds of frames, and their headers
//	reader.go      reads frames from a [Source]
//	callheader.go  the frame that begins a call
//	status.go      the frame that ends it
//	files.go       the frame before a message with open files
//	metadata.go    metadata, and which may be sent
//	cursor.go      reads the fields of a frame
//	payload.go     a message as bytes
//	buffers.go     memory for large messages
//
// Functions named Append… append to a slice and return it, as the built-in append does. A [Violation] is
// the error for bytes that the other end must not send. Nothing here may be used concurrently but
// [Buffers].
package wire
