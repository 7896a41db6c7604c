package content

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// ErrNoUnit is returned by FindUnit for a unit that the host does not have.
var ErrNoUnit = errors.New("no such unit")

// Host is where units, packages and files come from.
type Host struct {
	Root     string           // "" for the machine itself
	Packages []pkgdb.Database // in the order in which they are asked
}

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
	return []string{"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// FindUnit resolves a name as an administrator writes it: without suffix it is a service, and a template becomes the
// instance of that name. A unit that is masked on the host is found all the same, since masking it there is how one
// keeps it from running outside. Errors: ErrNoUnit.
func (h Host) FindUnit(name, instance string) (*Unit, error) {
	name = UnitName(name)
	if before, suffix, found := strings.Cut(name, "@."); found {
		name = before + "@" + instance + "." + suffix
	}
	if strings.ContainsAny(name, "/\x00\n") {
		return nil, fmt.Errorf("%w as %q: a unit name has no slashes", ErrNoUnit, name)
	}
	isHosts := false
	for _, candidate := range []string{name, templateOf(name)} {
		if candidate == "" {
			continue
		}
		u := &Unit{Name: name, isHosts: isHosts}
		for _, dir := range unitDirs() {
			file, canonical := h.resolve(filepath.Join(dir, candidate))
			if file == "" {
				continue
			}
			if h.runsContainer(file) {
				u.isHosts = true
				continue
			}
			if len(u.Files) == 0 {
				u.Name = instantiate(canonical, name)
			}
			if !contains(u.Files, file) {
				u.Files = append(u.Files, file)
			}
		}
		if len(u.Files) > 0 {
			return u, h.read(u)
		}
		isHosts = u.isHosts
	}
	return nil, fmt.Errorf("%w as %s in %s; is its package installed?", ErrNoUnit, name, strings.Join(unitDirs()[:3], ", "))
}

// UnitName completes a name as an administrator writes it: without suffix it is a service.
func UnitName(name string) string {
	if hasUnitSuffix(name) {
		return name
	}
	return name + ".service"
}

// hasUnitSuffix tells whether name ends in a type of unit; a dot alone may be part of a name or an instance.
func hasUnitSuffix(name string) bool {
	return contains([]string{".service", ".socket", ".target", ".timer", ".path", ".mount"}, filepath.Ext(name))
}

// runsContainer tells of the stub unit file of a container: foo@NAME.service of the host runs the container NAME, in which
// an instance of foo@.service has the same name.
func (h Host) runsContainer(file string) bool {
	text, err := os.ReadFile(h.Root + file)
	return err == nil && units.IsAnyStub(text)
}

// resolve follows an alias to the unit file; both are "" for a unit that is absent or masked.
func (h Host) resolve(file string) (target, canonical string) {
	for range 8 {
		link, err := os.Readlink(h.Root + file)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(file), link)
		}
		file = filepath.Clean(link)
	}
	info, err := os.Stat(h.Root + file)
	if err != nil || !info.Mode().IsRegular() {
		return "", ""
	}
	return file, filepath.Base(file)
}

// templateOf gives foo@.service for foo@bar.service and "" for a unit that is no instance.
func templateOf(name string) string {
	before, rest, found := strings.Cut(name, "@")
	if !found {
		return ""
	}
	return before + "@" + filepath.Ext(rest)
}

// instantiate puts the instance of name into a canonical template name.
func instantiate(canonical, name string) string {
	before, suffix, isTemplate := strings.Cut(canonical, "@.")
	if !isTemplate {
		return canonical
	}
	return before + "@" + instanceOf(name) + "." + suffix
}

func instanceOf(name string) string {
	_, rest, _ := strings.Cut(name, "@")
	return strings.TrimSuffix(rest, filepath.Ext(rest))
}

// read reads the unit's file and its drop-ins in the order of systemd.unit(5): by name wherever they lie, and of those of
// one name only the first.
func (h Host) read(u *Unit) error {
	seen := make(map[string]bool)
	for _, name := range []string{u.Name, templateOf(u.Name)} {
		if name == "" || (name == u.Name && u.isHosts) {
			continue
		}
		for _, dir := range unitDirs() {
			dropIns := path.Join(dir, name+".d")
			entries, _ := os.ReadDir(h.Root + dropIns)
			for _, e := range entries {
				if path.Ext(e.Name()) == ".conf" && !e.IsDir() && !seen[e.Name()] {
					seen[e.Name()] = true
					u.DropIns = append(u.DropIns, path.Join(dropIns, e.Name()))
				}
			}
		}
	}
	slices.SortFunc(u.DropIns, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return h.readOptions(u)
}

// readOptions reads what the unit's files say.
func (h Host) readOptions(u *Unit) error {
	for _, file := range append([]string{u.Files[0]}, u.DropIns...) {
		f, err := os.Open(h.Root + file)
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

// asShipped gives a unit without what an administrator of the host made of it; nil for one that is an administrator's whole.
func (h Host) asShipped(u *Unit) (*Unit, error) {
	local := func(file string) bool { return below(file, "/etc", "/usr/local") }
	shipped := &Unit{
		Name: u.Name, isHosts: u.isHosts,
		Files:   slices.DeleteFunc(slices.Clone(u.Files), local),
		DropIns: slices.DeleteFunc(slices.Clone(u.DropIns), local),
	}
	if len(shipped.Files) == 0 {
		return nil, nil
	}
	return shipped, h.readOptions(shipped)
}

// Words gives the words of a directive in all its occurrences, specifiers expanded; an empty assignment resets it
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

// Bool tells whether the last value of a directive is true (systemd.syntax(7)).
func (u *Unit) Bool(directive string) bool {
	words := u.Words(directive)
	return len(words) > 0 && contains([]string{"1", "yes", "true", "on"}, strings.ToLower(words[len(words)-1]))
}

// isSimple tells whether systemd takes the unit for started before it is executed (systemd.service(5), Type=).
func (u *Unit) isSimple() bool {
	if kind := u.Words("Type"); len(kind) > 0 {
		return kind[len(kind)-1] == "simple"
	}
	return len(u.Words("ExecStart")) > 0 && len(u.Words("BusName")) == 0
}

// expand replaces the specifiers of systemd.unit(5) that can be part of a path.
func (u *Unit) expand(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	prefix := strings.TrimSuffix(u.Name, filepath.Ext(u.Name))
	instance := ""
	if before, rest, found := strings.Cut(prefix, "@"); found {
		prefix, instance = before, rest
	}
	return strings.NewReplacer(
		"%%", "%", "%n", u.Name, "%N", strings.TrimSuffix(u.Name, filepath.Ext(u.Name)),
		"%p", prefix, "%i", instance, "%I", instance, "%P", prefix,
		"%S", "/var/lib", "%C", "/var/cache", "%L", "/var/log", "%t", "/run", "%E", "/etc",
	).Replace(text)
}

func contains(list []string, item string) bool {
	for _, l := range list {
		if l == item {
			return true
		}
	}
	return false
}
