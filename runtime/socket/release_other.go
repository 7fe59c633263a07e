//go:build !linux

package socket

import "context"

// awaitRelease returns after a while, or when ctx ends: here nothing tells of a lock that is
// given up.
func awaitRelease(ctx context.Context, _ string) { pause(ctx, unannouncedReleaseWait) }
