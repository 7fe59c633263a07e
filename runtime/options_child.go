package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/childproc"
)

// Defaults of a [Child].
const (
	// DefaultStartTimeout is for a child that has much to read before it serves.
	DefaultStartTimeout = time.Minute

	// DefaultStopTimeout lets a child use all of its [DefaultShutdownTimeout].
	DefaultStopTimeout = 10 * time.Second

	// DefaultRestartLimit is for a [Supervisor]: it gives up after about three seconds.
	DefaultRestartLimit = 5
)

// ChildOption changes how [StartChild] and [Supervise] start a child.
type ChildOption func(*childConfig)

type childConfig struct {
	timeouts childproc.Timeouts
	dial     []DialOption
	err      error

	// For a supervisor:
	restartLimit              int
	restartPause, settledTime time.Duration // other than the constants in tests only
	events                    *slog.Logger  // nil for none
}

func newChildConfig(opts []ChildOption) (childConfig, error) {
	c := childConfig{
		timeouts:     childproc.Timeouts{Start: DefaultStartTimeout, Stop: DefaultStopTimeout},
		restartLimit: DefaultRestartLimit,
		restartPause: restartPause,
		settledTime:  settledTime,
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&c)
		}
	}
	return c, c.err
}

// StartTimeout sets how long a child may take until it serves; the default is [DefaultStartTimeout]. It no
// longer applies when StartChild has returned, unlike a context, which governs the child for its whole
// life.
func StartTimeout(d time.Duration) ChildOption {
	return func(c *childConfig) {
		if d <= 0 {
			c.err = errors.Join(c.err, fmt.Errorf("start timeout %v: give more than zero: %w", d, fs.ErrInvalid))
		}
		c.timeouts.Start = d
	}
}

// StopTimeout sets how long a child may take to stop before it is killed; the default is
// [DefaultStopTimeout]. Choose it above the [ShutdownTimeout] of the child. With zero it is killed at
// once.
func StopTimeout(d time.Duration) ChildOption {
	return func(c *childConfig) {
		if d < 0 {
			c.err = errors.Join(c.err, fmt.Errorf("stop timeout %v: give zero or more: %w", d, fs.ErrInvalid))
		}
		c.timeouts.Stop = d
	}
}

// ChildDialOptions adds options for the connection to the child.
func ChildDialOptions(opts ...DialOption) ChildOption {
	opts = slices.Clone(opts)
	return func(c *childConfig) { c.dial = append(c.dial, opts...) }
}

// RestartLimit sets after how many restarts in a row a [Supervisor] gives up; the default is
// [DefaultRestartLimit]. With zero there is no restart. StartChild, which restarts nothing, ignores it.
func RestartLimit(n int) ChildOption {
	return func(c *childConfig) {
		if n < 0 {
			c.err = errors.Join(c.err, fmt.Errorf("restart limit %d: give zero or more: %w", n, fs.ErrInvalid))
		}
		c.restartLimit = n
	}
}

// SupervisorLog writes a record when a child serves, when one ends and how, and when the [Supervisor]
// gives up. There is none by default. StartChild ignores it.
func SupervisorLog(logger *slog.Logger) ChildOption {
	return func(c *childConfig) { c.events = logger }
}
