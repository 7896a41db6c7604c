// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/throttle"
)

// What passes: as much as of a console.
const (
	rate      = throttle.Rate
	burst     = throttle.Burst
	entryCost = 256 // bytes that an entry costs beside its text
	tellEvery = 30 * time.Second
)

// budget bounds what is passed on.
type budget struct {
	left    int // bytes that may pass
	since   time.Time
	dropped int       // entries, since that was told last
	told    time.Time // when it was
}

func newBudget(now time.Time) budget { return budget{left: burst, since: now} }

// takes reports whether a message of so many bytes may pass.
func (b *budget) takes(bytes int) bool { return b.takesAt(time.Now(), bytes) }

func (b *budget) takesAt(now time.Time, bytes int) bool {
	earned := min(now.Sub(b.since), burst/rate*time.Second)
	if n := int(earned * rate / time.Second); n > 0 {
		b.left, b.since = min(b.left+n, burst), now
	}
	if b.left < bytes+entryCost {
		return false
	}
	b.left -= bytes + entryCost
	return true
}

// nextTelling is when the number of dropped entries is to be told; the zero value where none was dropped.
func (b *budget) nextTelling() time.Time {
	if b.dropped == 0 {
		return time.Time{}
	}
	return b.told.Add(tellEvery)
}
