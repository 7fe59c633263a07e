package difftest_test

import (
	"testing"

	"github.com/udsgrpc/udsgrpc/runtime/internal/difftest"
)

func TestACaseFollowsFromItsSeed(t *testing.T) {
	seen := map[string]uint64{}
	for seed := range uint64(100) {
		c := difftest.New(seed).String()
		if again := difftest.New(seed).String(); again != c {
			t.Errorf("the case of seed %d is\n%s, and then\n%s", seed, c, again)
		}
		if other, ok := seen[c]; ok {
			t.Errorf("seeds %d and %d have the same case:\n%s", other, seed, c)
		}
		seen[c] = seed
	}
}
