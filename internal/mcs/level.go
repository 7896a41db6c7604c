// SPDX-License-Identifier: Apache-2.0

// Package mcs knows MCS levels: their text form, which of them reach each other, what the host's policy says of them,
// and which pairs of categories are still free. In: level texts and the files of a policy; out: parsed levels and new
// ones. config validates with it, internal/alloc allocates with it.
package mcs

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// Categories is the number of categories of a targeted or default policy: c0 to c1023.
const Categories = 1024

// Level is a parsed MCS level: sensitivity s0 and a set of categories. Equal levels are equal to ==.
type Level struct {
	set [Categories / 64]uint64
}

// Run is categories that follow one another, from First to Last.
type Run struct{ First, Last int }

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
	var level Level
	for item := range strings.SplitSeq(list, ",") {
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
		level = level.With(Run{low, high})
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

// errNoLevel is returned for the context of a process or file that may be at several levels, and for what is no
// context.
var errNoLevel = errors.New("not the context of a single level")

// OfContext returns the level of an SELinux context, user:role:type:level. A range such as s0-s0:c0.c1023 is that of a
// part of the host, not of something that its level keeps apart.
func OfContext(context string) (Level, error) {
	c, err := secontext.Parse(context)
	if err != nil {
		return Level{}, errNoLevel
	}
	low, high, isRange := strings.Cut(c.Level, "-")
	level, err := Parse(low)
	if err != nil {
		return Level{}, err
	}
	if isRange && high != low {
		return Level{}, errNoLevel
	}
	return level, nil
}

// With returns the level with more categories, which must be from 0 to Categories-1.
func (l Level) With(run Run) Level {
	for c := run.First; c <= run.Last; c++ {
		l.set[c/64] |= 1 << (c % 64)
	}
	return l
}

func (l Level) has(c int) bool { return l.set[c/64]&(1<<(c%64)) != 0 }

// Count returns the number of categories.
func (l Level) Count() int {
	n := 0
	for _, word := range l.set {
		n += bits.OnesCount64(word)
	}
	return n
}

// Runs returns the categories in ascending order, as few runs as they make.
func (l Level) Runs() []Run {
	var runs []Run
	for c := 0; c < Categories; c++ {
		if l.set[c/64] == 0 {
			c |= 63
			continue
		}
		if !l.has(c) {
			continue
		}
		run := Run{c, c}
		for run.Last+1 < Categories && l.has(run.Last+1) {
			run.Last++
		}
		runs = append(runs, run)
		c = run.Last
	}
	return runs
}

// String returns the level in the form that the kernel prints: consecutive categories of three and more as a range.
func (l Level) String() string {
	var items []string
	for _, run := range l.Runs() {
		switch run.Last - run.First {
		case 0:
			items = append(items, fmt.Sprintf("c%d", run.First))
		case 1:
			items = append(items, fmt.Sprintf("c%d,c%d", run.First, run.Last))
		default:
			items = append(items, fmt.Sprintf("c%d.c%d", run.First, run.Last))
		}
	}
	if len(items) == 0 {
		return "s0"
	}
	return "s0:" + strings.Join(items, ",")
}

// Dominates reports whether l has all categories of other: then who is at l may read and write what is at other.
func (l Level) Dominates(other Level) bool {
	for i, word := range other.set {
		if word&^l.set[i] != 0 {
			return false
		}
	}
	return true
}

// Comparable reports whether two levels are not kept apart: one of them dominates the other.
func (l Level) Comparable(other Level) bool { return l.Dominates(other) || other.Dominates(l) }
