// SPDX-License-Identifier: Apache-2.0

// Package bytesize has numbers of bytes as people write them. In: a text. Out: the number, and the other way round.
// Package config calls it.
package bytesize

import (
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes.
type Size uint64

// Parse reads a number with an optional binary suffix K, M, G or T, and reports whether it is one.
func Parse(text string) (Size, bool) {
	digits, shift := text, 0
	if text != "" {
		if i := strings.IndexByte("KMGT", text[len(text)-1]); i >= 0 {
			digits, shift = text[:len(text)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, false
	}
	return Size(n << shift), true
}

// String returns the shortest text that Parse reads as the same number.
func (s Size) String() string {
	suffix := ""
	for _, unit := range "KMGT" {
		if s == 0 || s%1024 != 0 {
			break
		}
		s, suffix = s/1024, string(unit)
	}
	return strconv.FormatUint(uint64(s), 10) + suffix
}
