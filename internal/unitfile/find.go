// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// unitDirs is the system unit path of systemd.unit(5), without what only lives at run time.
func unitDirs() []string {
	return []string{
		"/etc/systemd/system.control", "/etc/systemd/system", "/etc/systemd/system.attached",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
	}
}

// maxAliases bounds how many links lead from a name to its unit.
const maxAliases = 8

// Find resolves a name as an administrator writes it: without suffix it is a service, and a template becomes the
// instance of that name. A unit that is masked on the host is found all the same, since masking it there is how one
// keeps it from running outside. Errors: ErrNoUnit.
func (r Root) Find(name, instance string) (*Unit, error) { return r.find(name, instance, r.newIndex()) }

func (r Root) find(name, instance string, index index) (*Unit, error) {
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
	}
	u := r.locate(wanted, maxAliases)
	if u == nil {
		if u, err = r.generate(wanted); err != nil {
			return nil, err
		}
	}
	if u == nil {
		return nil, noUnit(wanted.String())
	}
	return u, r.read(u, index)
}

func noUnit(name string) error {
	return fmt.Errorf("%w as %s in /etc/systemd/system, /usr/local/lib/systemd/system, /usr/lib/systemd/system; "+
		"is its package installed?", ErrNoUnit, name)
}

// locate finds the files of a unit, or of its template where it has none of its own; nil where there are none.
func (r Root) locate(wanted unitname.Name, aliases int) *Unit {
	isHosts := false
	for _, candidate := range withTemplate(wanted.String()) {
		u := &Unit{Name: wanted.String(), isHosts: isHosts}
		for _, dir := range unitDirs() {
			file, canonical := r.resolve(filepath.Join(dir, candidate))
			if file == "" {
				continue
			}
			if r.runsContainer(file) {
				u.isHosts = true
				continue
			}
			if named := instantiate(canonical, wanted); len(u.Files) == 0 && named.String() != u.Name {
				if aliases == 0 {
					return nil
				}
				// The unit of that name, which need not be the file that the alias leads to.
				return r.locate(named, aliases-1)
			}
			if !slices.Contains(u.Files, file) {
				u.Files = append(u.Files, file)
			}
		}
		if len(u.Files) > 0 {
			return u
		}
		isHosts = u.isHosts
	}
	return nil
}

// runsContainer tells of the stub unit file of a container: foo@NAME.service of the host runs the container NAME, in
// which an instance of foo@.service has the same name.
func (r Root) runsContainer(file string) bool {
	text, err := os.ReadFile(string(r) + file)
	return err == nil && units.IsAnyStub(text)
}

// resolve follows an alias to the unit file; both are "" for a unit that is absent or masked. A link to a file that
// lies elsewhere gives that file its own name (systemctl(1), link). An alias leads to a name: the file of that may lie
// in another directory than the link says.
func (r Root) resolve(file string) (target, canonical string) {
	own := filepath.Base(file)
	canonical = own
	for range maxAliases {
		link, err := os.Readlink(string(r) + file)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(file), link)
		}
		if file = filepath.Clean(link); slices.Contains(unitDirs(), filepath.Dir(file)) {
			canonical = filepath.Base(file)
		}
	}
	info, err := os.Stat(string(r) + file)
	if errors.Is(err, fs.ErrNotExist) && canonical != own {
		return file, canonical
	}
	if err != nil || !info.Mode().IsRegular() {
		return "", ""
	}
	return file, canonical
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

// instantiate puts the instance that was asked for into the name of a file which an alias led to. What is no unit's
// name is nobody's.
func instantiate(file string, wanted unitname.Name) unitname.Name {
	unit, err := unitname.Parse(file)
	if err != nil || !unit.IsTemplate() {
		return unit
	}
	return unit.Instantiate(wanted.Instance())
}
