// Package mcs knows MCS levels: their text form, and which pairs of categories are still free. In: level texts; out: parsed
// levels and new ones. config validates with it, create allocates with it; it calls nobody.
package mcs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Categories is the number of categories of a targeted or default policy: c0 to c1023.
const Categories = 1024

// ErrExhausted is returned by Allocate when every pair of categories is taken.
var ErrExhausted = errors.New("no free pair of MCS categories is left")

// Level is a parsed MCS level: sensitivity s0 and a set of categories in ascending order.
type Level struct {
	categories []int
}

// Parse reads s0 or s0:c1,c2 or s0:c0.c3,c7 (semanage-user(8) describes the form). An MCS policy has no other
// sensitivity than s0.
func Parse(text string) (Level, error) {
	sensitivity, list, found := strings.Cut(text, ":")
	if sensitivity != "s0" {
		return Level{}, fmt.Errorf("sensitivity %q is not s0, the only one of an MCS policy", sensitivity)
	}
	if !found {
		return Level{}, nil
	}
	var has [Categories]bool // bounds what a long list of ranges takes
	for _, item := range strings.Split(list, ",") {
		first, last, isRange := strings.Cut(item, ".")
		low, err := parseCategory(first)
		if err != nil {
			return Level{}, err
		}
		high := low
		if isRange {
			if high, err = parseCategory(last); err != nil {
				return Level{}, err
			}
			if high <= low {
				return Level{}, fmt.Errorf("range %s does not ascend", item)
			}
		}
		for c := low; c <= high; c++ {
			has[c] = true
		}
	}
	var level Level
	for c := range has {
		if has[c] {
			level.categories = append(level.categories, c)
		}
	}
	return level, nil
}

func parseCategory(text string) (int, error) {
	digits, found := strings.CutPrefix(text, "c")
	n, err := strconv.Atoi(digits)
	if !found || err != nil || strconv.Itoa(n) != digits || n < 0 {
		return 0, fmt.Errorf("%q is not a category such as c42", text)
	}
	if n >= Categories {
		return 0, fmt.Errorf("category %s is above c%d", text, Categories-1)
	}
	return n, nil
}

// String gives the level in the form that the kernel prints: consecutive categories of three and more as a range.
func (l Level) String() string {
	if len(l.categories) == 0 {
		return "s0"
	}
	var items []string
	for i := 0; i < len(l.categories); {
		j := i
		for j+1 < len(l.categories) && l.categories[j+1] == l.categories[j]+1 {
			j++
		}
		switch first, last := l.categories[i], l.categories[j]; {
		case j == i:
			items = append(items, fmt.Sprintf("c%d", first))
		case j == i+1:
			items = append(items, fmt.Sprintf("c%d,c%d", first, last))
		default:
			items = append(items, fmt.Sprintf("c%d.c%d", first, last))
		}
		i = j + 1
	}
	return "s0:" + strings.Join(items, ",")
}

// Allocate returns a pair of categories that is not in taken. The caller holds the lock that keeps another process
// from being handed the same pair before it is written down. Errors: ErrExhausted.
func Allocate(taken []Level) (Level, error) {
	const pairs = Categories * (Categories - 1) / 2
	used := make(map[[2]int]bool, len(taken))
	for _, level := range taken {
		if len(level.categories) == 2 {
			used[[2]int(level.categories)] = true
		}
	}
	if len(used) >= pairs {
		return Level{}, ErrExhausted
	}
	// A random start keeps levels from being guessed from one another; the walk from there ends, since a pair is free.
	for n := rand.IntN(pairs); ; n = (n + 1) % pairs {
		pair := nthPair(n)
		if !used[pair] {
			return Level{categories: pair[:]}, nil
		}
	}
}

// nthPair counts the pairs (0,1), (0,2), (1,2), (0,3), (1,3) …
func nthPair(n int) [2]int {
	high := 1
	for n >= high {
		n -= high
		high++
	}
	return [2]int{n, high}
}

// Index numbers the pairs of categories from 0, for the caller's reservations; -1 for a level that is no pair.
func (l Level) Index() int {
	if len(l.categories) != 2 {
		return -1
	}
	low, high := l.categories[0], l.categories[1]
	return high*(high-1)/2 + low
}
