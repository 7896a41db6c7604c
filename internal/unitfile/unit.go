// SPDX-License-Identifier: Apache-2.0

// Package unitfile finds unit files of a host and reads them as its systemd does (systemd.unit(5)). In: a root
// directory and a name as an administrator writes it; out: the unit with its drop-ins and what they say. Content
// planning and the verbs call it; it runs nothing and talks to no systemd.
package unitfile

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// ErrNoUnit is returned by Find for a unit that the host does not have.
var ErrNoUnit = errors.New("no such unit")

// Root is the directory below which the unit files lie; "" for the machine itself.
type Root string

// Unit is a unit of the host as a container will run it.
type Unit struct {
	Name    string   // canonical, with its instance
	Files   []string // its files or those of its template, the one that counts first
	DropIns []string // *.conf files that add to it

	isHosts bool // the host has a unit of the full name that runs a container; its drop-ins are for that
	options []*unit.UnitOption
}

// unitDirs is the system unit path of systemd.unit(5), without what only lives at run time.
func unitDirs() []string {
	return []string{
		"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
	}
}

// Find resolves a name as an administrator writes it: without suffix it is a service, and a template becomes the
// instance of that name. A unit that is masked on the host is found all the same, since masking it there is how one
// keeps it from running outside. Errors: ErrNoUnit.
func (r Root) Find(name, instance string) (*Unit, error) {
	name = unitname.Complete(name)
	if strings.ContainsAny(name, "/\x00\n") {
		return nil, fmt.Errorf("%w as %q: a unit name has no slashes", ErrNoUnit, name)
	}
	wanted, err := unitname.Parse(name)
	if err != nil {
		return nil, noUnit(name)
	}
	if wanted.IsTemplate() {
		wanted = wanted.Instantiate(instance)
		name = wanted.String()
	}
	isHosts := false
	for _, candidate := range withTemplate(name) {
		u := &Unit{Name: name, isHosts: isHosts}
		for _, dir := range unitDirs() {
			file, canonical := r.resolve(filepath.Join(dir, candidate))
			if file == "" {
				continue
			}
			if r.runsContainer(file) {
				u.isHosts = true
				continue
			}
			if len(u.Files) == 0 {
				u.Name = instantiate(canonical, wanted)
			}
			if !slices.Contains(u.Files, file) {
				u.Files = append(u.Files, file)
			}
		}
		if len(u.Files) > 0 {
			return u, r.read(u)
		}
		isHosts = u.isHosts
	}
	return nil, noUnit(name)
}

func noUnit(name string) error {
	return fmt.Errorf("%w as %s in %s; is its package installed?", ErrNoUnit, name, strings.Join(unitDirs()[:3], ", "))
}

// runsContainer tells of the stub unit file of a container: foo@NAME.service of the host runs the container NAME, in
// which an instance of foo@.service has the same name.
func (r Root) runsContainer(file string) bool {
	text, err := os.ReadFile(string(r) + file)
	return err == nil && units.IsAnyStub(text)
}

// resolve follows an alias to the unit file; both are "" for a unit that is absent or masked.
func (r Root) resolve(file string) (target, canonical string) {
	for range 8 {
		link, err := os.Readlink(string(r) + file)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(file), link)
		}
		file = filepath.Clean(link)
	}
	info, err := os.Stat(string(r) + file)
	if err != nil || !info.Mode().IsRegular() {
		return "", ""
	}
	return file, filepath.Base(file)
}

// withTemplate returns a unit's name and, for an instance, that of its template: files of both say what it is.
func withTemplate(name string) []string {
	if unit, err := unitname.Parse(name); err == nil {
		if template, ok := unit.Template(); ok {
			return []string{name, template.String()}
		}
	}
	return []string{name}
}

// instantiate puts the instance that was asked for into the name of a file which an alias led to.
func instantiate(file string, wanted unitname.Name) string {
	unit, err := unitname.Parse(file)
	if err != nil || !unit.IsTemplate() {
		return file
	}
	return unit.Instantiate(wanted.Instance()).String()
}

// read reads the unit's file and its drop-ins in the order of systemd.unit(5): by name wherever they lie, and of those
// of one name only the first.
func (r Root) read(u *Unit) error {
	seen := make(map[string]bool)
	for _, name := range withTemplate(u.Name) {
		if name == u.Name && u.isHosts {
			continue
		}
		for _, dir := range unitDirs() {
			dropIns := path.Join(dir, name+".d")
			entries, _ := os.ReadDir(string(r) + dropIns)
			for _, e := range entries {
				if path.Ext(e.Name()) == ".conf" && !e.IsDir() && !seen[e.Name()] {
					seen[e.Name()] = true
					u.DropIns = append(u.DropIns, path.Join(dropIns, e.Name()))
				}
			}
		}
	}
	slices.SortFunc(u.DropIns, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return r.readOptions(u)
}

// readOptions reads what the unit's files say.
func (r Root) readOptions(u *Unit) error {
	for _, file := range append([]string{u.Files[0]}, u.DropIns...) {
		f, err := os.Open(string(r) + file)
		if err != nil {
			return fmt.Errorf("read unit: %w", err)
		}
		options, err := unit.DeserializeOptions(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("read unit %s: %w", file, err)
		}
		u.options = append(u.options, options...)
	}
	return nil
}

// AsShipped returns a unit without what an administrator of the host made of it; nil for one that is an administrator's
// whole.
func (r Root) AsShipped(u *Unit) (*Unit, error) {
	local := func(file string) bool {
		return strings.HasPrefix(file, "/etc/") || strings.HasPrefix(file, "/usr/local/")
	}
	shipped := &Unit{
		Name: u.Name, isHosts: u.isHosts,
		Files:   slices.DeleteFunc(slices.Clone(u.Files), local),
		DropIns: slices.DeleteFunc(slices.Clone(u.DropIns), local),
	}
	if len(shipped.Files) == 0 {
		return nil, nil
	}
	return shipped, r.readOptions(shipped)
}

// Words returns the words of a directive in all its occurrences, specifiers expanded; an empty assignment resets it
// (systemd.syntax(7)).
func (u *Unit) Words(directive string) []string {
	var words []string
	for _, o := range u.options {
		if o.Name != directive {
			continue
		}
		if strings.TrimSpace(o.Value) == "" {
			words = nil
		}
		for _, word := range strings.Fields(strings.ReplaceAll(o.Value, "\\\n", " ")) {
			words = append(words, u.expand(strings.Trim(word, `"'`)))
		}
	}
	return words
}

// Paths returns the files of the unit and all absolute paths that its directives name, in no way told apart.
func (u *Unit) Paths() []string {
	paths := slices.Concat(u.Files, u.DropIns)
	divides := func(r rune) bool { return strings.ContainsRune(" \t\n\"'=:;,\\", r) }
	for _, o := range u.options {
		for _, word := range strings.FieldsFunc(u.expand(o.Value), divides) {
			if word = strings.TrimLeft(word, "-@+!|~"); path.IsAbs(word) {
				paths = append(paths, word)
			}
		}
	}
	return paths
}

// Bool reports whether the last value of a directive is true (systemd.syntax(7)).
func (u *Unit) Bool(directive string) bool {
	words := u.Words(directive)
	return len(words) > 0 && slices.Contains([]string{"1", "yes", "true", "on"}, strings.ToLower(words[len(words)-1]))
}

// IsSimple reports whether systemd takes the unit for started before it is executed (systemd.service(5), Type=).
func (u *Unit) IsSimple() bool {
	if kind := u.Words("Type"); len(kind) > 0 {
		return kind[len(kind)-1] == "simple"
	}
	return len(u.Words("ExecStart")) > 0 && len(u.Words("BusName")) == 0
}

// expand replaces the specifiers of systemd.unit(5) that can be part of a patr.
func (u *Unit) expand(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	name, err := unitname.Parse(u.Name)
	if err != nil {
		return text // An alias leads to what is no unit, which nothing can run.
	}
	prefix, instance := name.Prefix(), name.Instance()
	return strings.NewReplacer(
		"%%", "%", "%n", u.Name, "%N", name.Stem(),
		"%p", prefix, "%i", instance, "%I", instance, "%P", prefix,
		"%S", "/var/lib", "%C", "/var/cache", "%L", "/var/log", "%t", "/run", "%E", "/etc",
	).Replace(text)
}
