// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"path"
	"slices"
	"strings"
)

// BindPath is a place that a unit sees at another one as well (systemd.exec(5), BindPaths=).
type BindPath struct {
	Directive      string // by which it is named
	Source, Target string // absolute and clean
	ReadOnly       bool
	Optional       bool // whether the unit starts without a source too
}

// String returns the assignment.
func (b BindPath) String() string { return b.Directive + "=" + b.Source + ":" + b.Target }

// BindPaths returns those of the unit that show one place at another. Those that show it where it is are only there to
// protect it, and systemd does without. An empty assignment of either directive forgets all before it.
func (u *Unit) BindPaths() []BindPath {
	var all []BindPath
	for _, o := range u.options {
		if o.name != "BindPaths" && o.name != "BindReadOnlyPaths" {
			continue
		}
		if o.value == "" {
			all = nil
		}
		for _, word := range split(o.value) {
			text, optional := strings.CutPrefix(u.expand(word), "-")
			parts := strings.Split(text, ":")
			b := BindPath{Directive: o.name, Source: path.Clean(parts[0]), Optional: optional}
			b.ReadOnly = o.name == "BindReadOnlyPaths"
			b.Target = b.Source
			if len(parts) > 1 {
				b.Target = path.Clean(parts[1])
			}
			if path.IsAbs(b.Source) && path.IsAbs(b.Target) && b.Source != b.Target {
				all = append(all, b)
			}
		}
	}
	return all
}

// TemporaryFileSystems returns where the unit has file systems in memory of its own.
func (u *Unit) TemporaryFileSystems() []string {
	var all []string
	for _, word := range u.Words("TemporaryFileSystem") {
		place, _, _ := strings.Cut(word, ":")
		if place = path.Clean(place); path.IsAbs(place) {
			all = append(all, place)
		}
	}
	return all
}

// OtherRoot returns the directive by which the unit sees another tree of files than its neighbours; "" for none.
func (u *Unit) OtherRoot() string {
	for _, directive := range []string{
		"RootImage", "RootDirectory", "MountImages", "ExtensionImages", "ExtensionDirectories",
	} {
		words := u.Words(directive)
		if len(words) == 0 || directive == "RootDirectory" && words[len(words)-1] == "/" {
			continue
		}
		return directive
	}
	return ""
}

// IsChroot reports whether RootDirectory= of the unit is a mere chroot(2), for which systemd mounts nothing.
func (u *Unit) IsChroot() bool {
	return u.OtherRoot() == "RootDirectory" && len(u.Words("MountAPIVFS")) > 0 && !u.Bool("MountAPIVFS")
}

// NeedsMounts reports whether systemd starts the unit only with mounts of its own. It does without others, which are to
// protect a unit from its neighbours. DynamicUser= is none of them here: inside, somebody else is the user.
func (u *Unit) NeedsMounts() bool {
	return u.OtherRoot() != "" || len(u.BindPaths()) > 0 || len(u.TemporaryFileSystems()) > 0 ||
		slices.ContainsFunc(u.Words("LogNamespace"), func(word string) bool { return word != "" })
}
