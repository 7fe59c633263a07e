package viewer

import (
	"context"
	"iter"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// Calls returns the calls that have ended until the server ends them, then an error, as Snapshots does. contents is
// for what is in them.
func (v *Viewer) Calls(ctx context.Context, contents bool) iter.Seq2[*inspectv1.CallsResponse, error] {
	return func(yield func(*inspectv1.CallsResponse, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := v.InspectServiceClient.Calls(ctx, &inspectv1.CallsRequest{Contents: contents})
		receive(ctx, stream, err, yield)
	}
}
