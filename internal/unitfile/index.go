// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// index returns what lies in the unit path beside unit files: read once, when somebody asks.
type index func() *contents

// contents are links and directories of the unit path.
type contents struct {
	names   map[string][]string // by the name of a file there, those of the links that lead to it
	dirs    map[string][]string // by the name of a directory such as UNIT.d, its paths
	pulling map[string][]Link   // by the name of a directory such as UNIT.wants, what lies in it
}

// Link is a link in a directory such as UNIT.wants, by which a unit pulls in another.
type Link struct {
	Path   string // of the host
	Target string // os.DevNull for one by which the unit is not pulled in, "" for what is no link and counts as none
}

// Name is the name of the unit that is pulled in.
func (l Link) Name() string { return filepath.Base(l.Path) }

func (r Root) newIndex() index { return sync.OnceValue(r.readIndex) }

// pullingSuffixes end the names of directories by which a unit pulls in others.
func pullingSuffixes() []string { return []string{".wants", ".requires", ".upholds"} }

func (r Root) readIndex() *contents {
	found := contents{make(map[string][]string), make(map[string][]string), make(map[string][]Link)}
	seen := make(map[string]bool)
	var before []os.FileInfo
	for _, dir := range unitDirs() {
		info, err := os.Stat(string(r) + dir)
		if err != nil || slices.ContainsFunc(before, func(b os.FileInfo) bool { return os.SameFile(b, info) }) {
			continue // A host may have one directory under two names.
		}
		before = append(before, info)
		entries, _ := os.ReadDir(string(r) + dir)
		for _, e := range entries {
			name := e.Name()
			if suffix := filepath.Ext(name); suffix == ".d" || slices.Contains(pullingSuffixes(), suffix) {
				r.addDir(&found, dir, name)
				continue
			}
			if seen[name] || e.IsDir() {
				continue
			}
			seen[name] = true
			if e.Type()&os.ModeSymlink == 0 {
				continue
			}
			target, err := os.Readlink(string(r) + filepath.Join(dir, name))
			if err != nil {
				continue
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(dir, target)
			}
			if base := filepath.Base(target); base != name && slices.Contains(unitDirs(), filepath.Dir(filepath.Clean(target))) {
				found.names[base] = append(found.names[base], name)
			}
		}
	}
	return &found
}

// addDir notes a directory of a unit.
func (r Root) addDir(found *contents, dir, name string) {
	at := filepath.Join(dir, name)
	if !slices.Contains(pullingSuffixes(), filepath.Ext(name)) {
		found.dirs[name] = append(found.dirs[name], at)
		return
	}
	entries, _ := os.ReadDir(string(r) + at)
	for _, e := range entries {
		l := Link{Path: filepath.Join(at, e.Name())}
		l.Target, _ = os.Readlink(string(r) + l.Path)
		isSame := func(other Link) bool { return other.Name() == l.Name() }
		if !slices.ContainsFunc(found.pulling[name], isSame) {
			found.pulling[name] = append(found.pulling[name], l)
		}
	}
}
