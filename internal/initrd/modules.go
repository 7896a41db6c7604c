// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files of depmod(8): modules.dep(5), what is built in, which modules want others without needing their symbols, and
// other names of modules.
const (
	dependencyFile = "modules.dep"
	builtinFile    = "modules.builtin"
	softFile       = "modules.softdep"
	aliasFile      = "modules.alias"
)

// maxIndex bounds what is read of such a file; the largest are of a few megabytes.
const maxIndex = 64 << 20

// index is what depmod knows of a kernel's modules, by module names with underscores.
type index struct {
	needs   map[string][]string // module: paths of its own file and of those it needs, the last to be loaded first
	builtin map[string]bool
	soft    map[string][]string // module: what is to be loaded before it, modules or aliases
	aliases map[string][]string // without those that have wildcards
}

func readIndex(dir string) (*index, error) {
	var x index
	for _, part := range []struct {
		name     string
		required bool
		parse    func(text string)
	}{
		{dependencyFile, true, func(text string) { x.needs = parseDependencies(text) }},
		{builtinFile, true, func(text string) { x.builtin = parseBuiltin(text) }},
		{softFile, false, func(text string) { x.soft = parseSoft(text) }},
		{aliasFile, false, func(text string) { x.aliases = parseAliases(text) }},
	} {
		text, err := readBounded(filepath.Join(dir, part.name))
		if os.IsNotExist(err) && !part.required {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read kernel modules: %w", err)
		}
		part.parse(text)
	}
	return &x, nil
}

func readBounded(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b strings.Builder
	if n, err := io.Copy(&b, io.LimitReader(f, maxIndex+1)); err != nil {
		return "", err
	} else if n > maxIndex {
		return "", fmt.Errorf("%s is larger than %d bytes", file, maxIndex)
	}
	return b.String(), nil
}

// parseDependencies reads modules.dep: "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz …". Lines with a path that
// leads out of the directory are left out.
func parseDependencies(text string) map[string][]string {
	needs := make(map[string][]string)
	for line := range strings.Lines(text) {
		file, rest, found := strings.Cut(line, ":")
		if !found {
			continue
		}
		paths := append([]string{file}, strings.Fields(rest)...)
		if name := moduleName(file); name != "" &&
			!slices.ContainsFunc(paths, func(p string) bool { return !filepath.IsLocal(p) || moduleName(p) == "" }) {
			needs[name] = paths
		}
	}
	return needs
}

func parseBuiltin(text string) map[string]bool {
	builtin := make(map[string]bool)
	for line := range strings.Lines(text) {
		if name := moduleName(strings.TrimSpace(line)); name != "" {
			builtin[name] = true
		}
	}
	return builtin
}

// parseSoft reads lines as "softdep ext4 pre: crypto-crc32c post: other".
func parseSoft(text string) map[string][]string {
	soft := make(map[string][]string)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "softdep" {
			continue
		}
		name, before := underscores(words[1]), false
		for _, word := range words[2:] {
			switch {
			case word == "pre:":
				before = true
			case word == "post:":
				before = false
			case before:
				soft[name] = append(soft[name], underscores(word))
			}
		}
	}
	return soft
}

// parseAliases reads lines as "alias crypto-crc32c crc32c_intel".
func parseAliases(text string) map[string][]string {
	aliases := make(map[string][]string)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "alias" || strings.ContainsAny(words[1], "*?[:") {
			continue
		}
		name := underscores(words[1])
		aliases[name] = append(aliases[name], underscores(words[2]))
	}
	return aliases
}

// underscores returns the name that a module has in the kernel, where - and _ are the same.
func underscores(name string) string { return strings.ReplaceAll(name, "-", "_") }

// moduleName is the name of a module's file without its suffixes; "" where it is none's.
func moduleName(file string) string {
	base := filepath.Base(file)
	for _, suffix := range []string{"", ".xz", ".zst", ".gz"} {
		if name, found := strings.CutSuffix(base, ".ko"+suffix); found && name != "" {
			return underscores(name)
		}
	}
	return ""
}

// module is one to be loaded.
type module struct {
	name, file string // file: relative to the kernel's directory of modules
	optional   bool   // the machine runs without it
}

// order returns the modules that those of these names need and themselves, in the order in which they are to be loaded.
// Those that are built in are left out. Errors: of names that the kernel does not have.
func (x *index) order(names []string) ([]module, error) {
	var list []module
	var missing []string
	for _, name := range names {
		name = underscores(name)
		if !x.builtin[name] && x.needs[name] == nil {
			missing = append(missing, name)
			continue
		}
		list = x.add(list, name, false, nil)
	}
	if len(missing) > 0 {
		return nil, &MissingModules{missing}
	}
	return list, nil
}

// add appends a module after those that it needs; above are the ones on the way to it, for soft dependencies can go in
// circles.
func (x *index) add(list []module, name string, optional bool, above []string) []module {
	paths := x.needs[name]
	if x.builtin[name] || len(paths) == 0 || slices.Contains(above, name) {
		return list
	}
	above = append(above, name)
	for _, path := range slices.Backward(paths) {
		m := module{moduleName(path), path, optional}
		for _, wanted := range x.soft[m.name] {
			for _, other := range append([]string{wanted}, x.aliases[wanted]...) {
				list = x.add(list, other, true, above)
			}
		}
		i := slices.IndexFunc(list, func(have module) bool { return have.name == m.name })
		if i < 0 {
			list = append(list, m)
		} else if !optional {
			list[i].optional = false
		}
	}
	return list
}

// MissingModules are modules that a kernel neither has nor has built in.
type MissingModules struct{ Names []string }

func (e *MissingModules) Error() string {
	return "no module " + strings.Join(e.Names, ", ")
}
