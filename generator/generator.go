// SPDX-License-Identifier: Apache-2.0

// Package generator turns configs into units (systemd.generator(7)). In: the directory of configs, and that of the
// administrator's units, to know which have a stub of create's; out: files for the generator directories and a list of
// problems. It reads and writes files and does nothing else, since it runs before a bus, a network or libvirt is there.
package generator

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// Generator knows where configs and units lie.
type Generator struct {
	Store   config.Store
	UnitDir string // of the administrator's units, units.Dir
	Helper  string // path of virt-sandbox-service-helper for the units

	// UnitPath are all directories of units and drop-ins that systemd has, in which those of the distribution's templates
	// are looked for.
	UnitPath []string

	// Strict tells of what systemd would only warn about, too.
	Strict bool

	dropIns *dropInCache
}

// File is one file or link for a generator directory.
type File struct {
	Path string // below the directory
	Text []byte // content of a file
	Link string // target of a symbolic link; empty for a file
	Late bool   // it goes to the late directory, where it takes the place of no other unit
	// Early has it go to the early directory, where it takes the place of what the administrator has.
	Early bool
}

// Sink takes what is generated.
type Sink interface {
	Put(File) error
}

// Run generates the units of all configs and returns what is wrong, in the order of the configs, a line each that
// begins with file and line. Line 1 stands for a file as a whole. A directory of configs that does not exist is an
// empty one.
func (g Generator) Run(sink Sink) []error {
	var err error
	if g.Store, err = g.Store.Listed(); err != nil {
		return []error{fmt.Errorf("%s:1: %w", g.Store.Dir, err)}
	}
	names, err := g.Store.Tree().Names()
	if err != nil {
		return []error{fmt.Errorf("%s:1: %w", g.Store.Dir, err)}
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.HasPrefix(name, ".") || configtree.IsTemplate(name)
	})
	present := presentUnits(g.UnitDir)
	g.dropIns = &dropInCache{g.UnitPath, make(map[string][]string)}
	problems := g.legacyConfigs(names)
	told := make(map[string]bool)
	for _, name := range names {
		for _, problem := range g.one(name, present, sink) {
			// What is wrong with a template or a drop-in is so for many.
			if !told[problem.Error()] {
				problems = append(problems, problem)
			}
			told[problem.Error()] = true
		}
	}
	return append(problems, g.orphans(names, present, sink)...)
}

// legacyConfigs finds legacy configs in directories of their own, which nothing else would report.
func (g Generator) legacyConfigs(names []string) []error {
	var problems []error
	for _, name := range g.Store.Tree().Dirs(g.Store.Dir) {
		if config.CheckName(name) != nil || slices.Contains(names, name) {
			continue
		}
		file := legacy.Configs{Store: g.Store}.Path(name)
		if _, err := os.Lstat(file); err == nil {
			problems = append(problems, fmt.Errorf("%s:1: %w", file, config.LegacyError(name)))
		}
	}
	return problems
}

// presentUnits lists the instances of services in the directory of the administrator's units, by the name of the
// instance.
func presentUnits(dir string) map[string][]string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	files, _ := d.Readdirnames(-1)
	present := make(map[string][]string)
	for _, file := range files {
		unit, err := unitname.Parse(file)
		if err == nil && unit.IsInstance() && unit.Type() == unitname.Service {
			present[unit.Instance()] = append(present[unit.Instance()], file)
		}
	}
	return present
}

// one generates the unit of one config.
func (g Generator) one(name string, present map[string][]string, sink Sink) []error {
	files, err := g.Store.Find(name)
	var masked *config.MaskedError
	if errors.As(err, &masked) {
		return g.mask(name, present, sink)
	}
	var s *config.Sandbox
	if err == nil {
		s, err = g.Store.Parse(name, files.Files...)
	}
	if err != nil {
		return append(g.located(name, err), g.errorUnit(name, files, err, present, sink)...)
	}
	paths := g.paths(name)
	unit := s.HostUnit()
	if err := g.renamed(s, unit, present, sink); err != nil {
		return g.located(name, err)
	}
	switch file := g.unitFile(unit, name, present); {
	case file == nil:
		err = sink.Put(File{Path: unit, Text: units.Full(s, paths)})
		if err == nil && s.Autostart && s.State == config.StateUsable {
			err = sink.Put(File{Path: units.Target + ".wants/" + unit, Link: "../" + unit})
		}
	case units.IsStub(file, paths.Config):
		err = sink.Put(File{Path: unit + ".d/" + units.DropInFile, Text: units.DropIn(s, paths)})
	}
	if err == nil {
		err = g.maskForeign(unit, sink)
	}
	if err == nil && g.Strict {
		err = units.CheckDirectives(g.Store, name)
	}
	if err != nil {
		return g.located(name, err)
	}
	return nil
}

// unitOf returns the unit of a sandbox that another one's names as a dependency; "" where it has none.
func (g Generator) unitOf(name string) string {
	files, err := g.Store.Find(name)
	if err != nil {
		return ""
	}
	if s, err := g.Store.Parse(name, files.Files...); err == nil {
		return s.HostUnit()
	}
	return guessHostUnit(name, files.Files...)
}

// renamed finds stubs of a container whose config has come to name another first unit, and makes them tell: they
// start nothing any more, and what enables them does not enable the new one.
func (g Generator) renamed(s *config.Sandbox, unit string, present map[string][]string, sink Sink) error {
	paths := g.paths(s.Name)
	others := slices.DeleteFunc(slices.Clone(present[s.Name]), func(other string) bool { return other == unit })
	for _, other := range units.FindStubs(g.UnitDir, others, s.Name, paths.Config) {
		reason := "its unit is " + unit + " now; run virt-sandbox-service enable " + s.Name + " to have that one enabled"
		if err := sink.Put(File{Path: other + ".d/" + units.DropInFile, Text: units.ErrorUnit(s.Name, reason, paths),
			Late: true}); err != nil {
			return err
		}
	}
	return nil
}

// orphans finds stubs of containers whose config is gone, and makes them tell.
func (g Generator) orphans(names []string, present map[string][]string, sink Sink) []error {
	var problems []error
	without := maps.Clone(present)
	for _, name := range names {
		delete(without, name)
	}
	for _, name := range slices.Sorted(maps.Keys(without)) {
		if config.CheckName(name) != nil {
			continue
		}
		paths := g.paths(name)
		for _, unit := range units.FindStubs(g.UnitDir, present[name], name, paths.Config) {
			err := fmt.Errorf("the config of %s is gone; put it back, or run virt-sandbox-service delete %s", unit, name)
			problems = append(problems, g.located(name, err)...)
			f := File{Path: unit + ".d/" + units.DropInFile, Text: units.ErrorUnit(name, err.Error(), paths), Late: true}
			if err := sink.Put(f); err != nil {
				problems = append(problems, g.located(name, err)...)
			}
		}
	}
	return problems
}

// mask masks the stub of a container whose config is masked, so that what enables it starts nothing.
func (g Generator) mask(name string, present map[string][]string, sink Sink) []error {
	unit := g.stubUnit(name, present)
	if unit == "" {
		return nil
	}
	if err := sink.Put(File{Path: unit, Link: os.DevNull, Early: true}); err != nil {
		return g.located(name, err)
	}
	return nil
}

// errorUnit leaves a unit that tells what is wrong with a config, where its name can be known.
func (g Generator) errorUnit(
	name string, files *configtree.Config, reason error, present map[string][]string, sink Sink,
) []error {
	if config.CheckName(name) != nil {
		return nil
	}
	unit := ""
	if files != nil {
		unit = guessHostUnit(name, files.Files...)
	}
	if unit == "" {
		unit = g.stubUnit(name, present)
	}
	if unit == "" {
		return nil
	}
	paths := g.paths(name)
	f := File{Path: unit, Text: units.ErrorUnit(name, reason.Error(), paths), Late: true}
	switch file := g.unitFile(unit, name, present); {
	case file == nil:
	case units.IsStub(file, paths.Config):
		f.Path = unit + ".d/" + units.DropInFile
	default:
		return nil
	}
	if err := sink.Put(f); err != nil {
		return g.located(name, err)
	}
	return nil
}

// stubUnit finds the stub that create made for a config which no longer tells its unit.
func (g Generator) stubUnit(name string, present map[string][]string) string {
	found := units.FindStubs(g.UnitDir, present[name], name, g.Store.Path(name))
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// unitFile reads a unit file of the administrator's that runs the container name; nil for none, or one that is masked.
func (g Generator) unitFile(unit, name string, present map[string][]string) []byte {
	if !slices.Contains(present[name], unit) {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(g.UnitDir, unit))
	if err != nil || len(data) == 0 {
		return nil
	}
	return data
}

func (g Generator) paths(name string) units.Paths {
	p := units.Paths{Config: g.Store.Path(name), Source: g.Store.SourcePath(name), Helper: g.Helper,
		UnitOf: g.unitOf}
	if g.Store.Dir != config.DefaultDir {
		p.ConfigDir = g.Store.Dir
	}
	return p
}

// located makes each mistake of a problem one line that begins with file and line.
func (g Generator) located(name string, err error) (problems []error) {
	mistakes := []*config.SyntaxError{{File: g.Store.SourcePath(name), Message: err.Error()}}
	var syntax *config.SyntaxError
	if errors.As(err, &syntax) {
		mistakes = syntax.All()
	}
	for _, mistake := range mistakes {
		text := fmt.Sprintf("%s:%d: %s", mistake.File, max(mistake.Line, 1), mistake.Message)
		problems = append(problems, errors.New(printable.Line(text)))
	}
	return problems
}
