// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// IDMap is the range of the host's user and group ids that stand for those from 0 in a container's user namespace
// (user_namespaces(7)). The zero value is no namespace of its own.
type IDMap struct {
	Auto        bool // the range is still to be chosen
	None        bool // there is none, on purpose
	Base, Count uint32
}

// IDMapCount is how many ids a container has: those that distributions give out, with nobody.
const IDMapCount = 1 << 16

// idMapAuto is the value of idmap= that lets the first start choose.
const idMapAuto = "auto"

// idMapNone is the value that says that the container has the host's ids.
const idMapNone = "none"

// ParseIDMap reads auto, none, or BASE:COUNT.
func ParseIDMap(text string) (IDMap, error) {
	if text == idMapAuto {
		return IDMap{Auto: true}, nil
	}
	if text == idMapNone {
		return IDMap{None: true}, nil
	}
	base, count, _ := strings.Cut(text, ":")
	b, baseErr := strconv.ParseUint(base, 10, 32)
	c, countErr := strconv.ParseUint(count, 10, 32)
	if baseErr != nil || countErr != nil || b < IDMapCount || c < IDMapCount || b+c > math.MaxUint32 {
		return IDMap{}, fmt.Errorf(msgIDMap, text)
	}
	return IDMap{Base: uint32(b), Count: uint32(c)}, nil
}

// String returns the text that ParseIDMap reads as the same; "" for none.
func (m IDMap) String() string {
	switch {
	case m.Auto:
		return idMapAuto
	case m.None:
		return idMapNone
	case m.Count == 0:
		return ""
	}
	return fmt.Sprintf("%d:%d", m.Base, m.Count)
}

// Mapped reports whether the container's ids are not the host's.
func (m IDMap) Mapped() bool { return m.Count > 0 }

// Overlaps reports whether two ranges have an id in common.
func (m IDMap) Overlaps(other IDMap) bool {
	return uint64(m.Base) < uint64(other.Base)+uint64(other.Count) && uint64(other.Base) < uint64(m.Base)+uint64(m.Count)
}
