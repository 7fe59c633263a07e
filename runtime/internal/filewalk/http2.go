package filewalk

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// OverHTTP2 returns the error of a call of a method with open files that would go over HTTP/2, for a reason
// that can be read after "because".
func OverHTTP2(method, because string) error {
	return status.Errorf(codes.FailedPrecondition, "%s: open files go over the direct transport only, and this call would go over HTTP/2 because %s: nothing was sent", method, because)
}

// RefuseOverHTTP2 returns [OverHTTP2] for a message with open files, and closes what was given away with it;
// nil for a message without. A message that cannot be sent at all has the error of [ForSending].
func RefuseOverHTTP2(method, because string, message any) error {
	files, err := ForSending(message)
	if files == nil {
		return err
	}
	files.Done()
	return OverHTTP2(method, because)
}
