// SPDX-License-Identifier: Apache-2.0

package mcs

import (
	"errors"
	"math/bits"
	"math/rand/v2"
)

// ErrExhausted is returned by Allocate when no pair of categories is left.
var ErrExhausted = errors.New("no free pair of MCS categories is left")

// Allocate returns a pair of the categories of among that neither reaches a level of taken nor is reached by one;
// levels without categories, which everybody reaches, do not count. The caller holds the lock that keeps another
// process from being handed the same pair before it is written down. Errors: ErrExhausted.
func Allocate(among Level, taken []Level) (Level, error) {
	partners := freePartners(among, taken)
	pairs := 0
	for c := range partners {
		pairs += partners[c].Count()
	}
	if pairs == 0 {
		return Level{}, ErrExhausted
	}
	// A random one, so that levels cannot be guessed from one another.
	n := rand.IntN(pairs)
	for c := range partners {
		free := partners[c].Count()
		if n < free {
			return Level{}.With(Run{c, c}).With(partners[c].nth(n)), nil
		}
		n -= free
	}
	panic("unreachable: fewer pairs than were counted")
}

// freePartners gives, for each category, those below it that it makes a free pair with.
func freePartners(among Level, taken []Level) *[Categories]Level {
	var blocked [Categories]Level
	var singles Level
	for _, level := range taken {
		if level.Count() == 1 {
			singles = singles.or(level)
			continue
		}
		for _, run := range level.Runs() {
			for c := run.First; c <= run.Last; c++ {
				blocked[c] = blocked[c].or(level)
			}
		}
	}
	usable := among.without(singles)
	var partners [Categories]Level
	var below Level
	for c := range Categories {
		if usable.has(c) {
			partners[c] = below.without(blocked[c])
			below = below.With(Run{c, c})
		}
	}
	return &partners
}

func (l Level) or(other Level) Level {
	for i := range l.set {
		l.set[i] |= other.set[i]
	}
	return l
}

func (l Level) without(other Level) Level {
	for i := range l.set {
		l.set[i] &^= other.set[i]
	}
	return l
}

// nth returns the category that n others of the level are below of.
func (l Level) nth(n int) Run {
	for i, word := range l.set {
		if here := bits.OnesCount64(word); n >= here {
			n -= here
			continue
		}
		for ; n > 0; n-- {
			word &= word - 1
		}
		c := i*64 + bits.TrailingZeros64(word)
		return Run{c, c}
	}
	panic("unreachable: a level has as many categories as it counts")
}
