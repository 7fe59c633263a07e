//go:build !linux

package socket

import "context"

// awaitRelease returns after a while, or when ctx ends: these systems do not announce that a lock was
// given up.
func awaitRelease(ctx context.Context, _ string) { pause(ctx, unannouncedReleaseWait) }
