// SPDX-License-Identifier: Apache-2.0

// Package pathname compares absolute, clean paths by their names alone: no link is followed. In: paths; out: how one
// lies to another.
package pathname

import (
	"slices"
	"strings"
)

// IsWithin reports whether a path is one of dirs or lies below it.
func IsWithin(p string, dirs ...string) bool { return slices.Contains(dirs, p) || IsBelow(p, dirs...) }

// IsBelow reports whether a path lies below one of dirs; none lies below itself.
func IsBelow(p string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return isBelow(p, dir) })
}

func isBelow(p, dir string) bool {
	rest, found := strings.CutPrefix(p, strings.TrimSuffix(dir, "/"))
	return found && len(rest) > 1 && rest[0] == '/'
}
