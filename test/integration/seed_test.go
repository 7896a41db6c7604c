// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// seedVariable names the environment variable with the seed of what tests do at random, such as the moments at which
// they kill a verb. Without it each run has another seed.
const seedVariable = "VIRT_SANDBOX_TEST_SEED"

// random returns a test's source of random numbers. The log of the test says with which seed the same come again.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("%s=%d", seedVariable, seed)
	// Each test has its own numbers, whichever others run.
	name := fnv.New64a()
	_, _ = name.Write([]byte(t.Name()))
	return rand.New(rand.NewPCG(seed, name.Sum64()))
}
