package runtime

import "time"

// RestartAfter is a supervisor's first pause, and how long a child serves to be settled, for tests.
func RestartAfter(pause, settled time.Duration) ChildOption {
	return func(c *childConfig) { c.restartPause, c.settledTime = pause, settled }
}
