// SPDX-License-Identifier: Apache-2.0

// Package idmap is the range of ids that a user namespace has. In: the text of idmap=; out: the range. Package config
// calls it.
package idmap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Range is the range of the host's user and group ids that stand for those from 0 in a container's user namespace
// (user_namespaces(7)). The zero value is no namespace of its own.
type Range struct {
	Auto        bool // the range is still to be chosen
	None        bool // there is none, on purpose
	Base, Count uint32
}

// Count is how many ids a container has: those that distributions give out, with nobody.
const Count = 1 << 16

const msgRange = "idmap %q is not auto, none, nor BASE:COUNT such as 100000000:65536, both at least 65536"

// auto is the value of idmap= that lets the first start choose.
const auto = "auto"

// none is the value that says that the container has the host's ids.
const none = "none"

// Parse reads auto, none, or BASE:COUNT.
func Parse(text string) (Range, error) {
	if text == auto {
		return Range{Auto: true}, nil
	}
	if text == none {
		return Range{None: true}, nil
	}
	base, count, _ := strings.Cut(text, ":")
	b, baseErr := strconv.ParseUint(base, 10, 32)
	c, countErr := strconv.ParseUint(count, 10, 32)
	if baseErr != nil || countErr != nil || b < Count || c < Count || b+c > math.MaxUint32 {
		return Range{}, fmt.Errorf(msgRange, text)
	}
	return Range{Base: uint32(b), Count: uint32(c)}, nil
}

// String returns the text that Parse reads as the same; "" for none.
func (m Range) String() string {
	switch {
	case m.Auto:
		return auto
	case m.None:
		return none
	case m.Count == 0:
		return ""
	}
	return fmt.Sprintf("%d:%d", m.Base, m.Count)
}

// Mapped reports whether the container's ids are not the host's.
func (m Range) Mapped() bool { return m.Count > 0 }

// Overlaps reports whether two ranges have an id in common.
func (m Range) Overlaps(other Range) bool {
	return uint64(m.Base) < uint64(other.Base)+uint64(other.Count) && uint64(other.Base) < uint64(m.Base)+uint64(m.Count)
}
