// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"fmt"
	"slices"
	"sync"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// Drop-ins that a start puts below /run/systemd/system. systemd takes drop-ins of all directories by their names: these
// come after what an administrator calls his, such as override.conf, and in this order. What must count more than they
// is called zzz-local.conf or the like, or has the name of one and lies in the container's /etc.
const (
	adaptedDropIn    = "zz-virt-sandbox-adapted.conf"
	mountingDropIn   = "zz-virt-sandbox-mounts.conf"
	namespacesDropIn = "zz-virt-sandbox-namespaces.conf"
	carriedDropIn    = "zz-virt-sandbox-service.conf"
)

// Former returns the files that versions before this one put below Dir for a set of units, in place of what a start now
// puts below /run, by their names: the name under which one that was changed inside goes on to count.
func Former(set unitfile.Set) map[string]string {
	names := map[string]string{"service.d/80-virt-sandbox-users.conf": "service.d/" + namespacesDropIn}
	for _, u := range set.Inside() {
		names[u.Name+".d/90-virt-sandbox.conf"] = u.Name + ".d/" + adaptedDropIn
	}
	return names
}

// Fitting is what each start gives a container so that units of the host run in it. It follows from the host and the
// config as they are then.
type Fitting struct {
	Units  map[string]string // below /run/systemd/system, by name: drop-ins, and empty files that mask units
	Binds  []Bind            // in place of mounts of units, made for the whole container before it boots
	Memory []string          // likewise: places of file systems in memory
	Dirs   []string          // that a unit would have had one at, and that are to be there
	notes  []string
}

func (to *Fitting) put(name, text string) {
	if to.Units == nil {
		to.Units = make(map[string]string)
	}
	to.Units[name] = text
}

func (to *Fitting) note(u *unitfile.Unit, format string, args ...any) {
	to.notes = append(to.notes, u.Name+": "+fmt.Sprintf(format, args...))
}

// Fit returns what a start gives the container of a sandbox with a set of units. denied says that the host's policy
// lets no process of the container mount. Errors: a unit that would see another tree of files than it is made for.
func Fit(root unitfile.Root, s *config.Sandbox, set unitfile.Set, denied bool) (*Fitting, error) {
	return newFitter(root, s, set, denied).fit()
}

// Notes returns what of the units of a sandbox is left out inside, since a container cannot give it: a line for each
// unit and kind. A unit that the host does not have has none. denied says that the host's policy lets no process of the
// container mount. Errors: a unit that no container can run, or that requires such a one.
func Notes(root unitfile.Root, s *config.Sandbox, denied bool) ([]string, error) {
	set, err := root.FindAll(s.Units, s.Name, func(error) error { return nil })
	if err != nil {
		return nil, err
	}
	f := newFitter(root, s, set, denied)
	f.isNew = true
	for _, u := range set.All() {
		if err := f.checkHostOnly(u); err != nil {
			return nil, err
		}
	}
	fitting, err := f.fit()
	if err != nil {
		return nil, err
	}
	return fitting.notes, nil
}

// fitter has units of the host run in a container.
type fitter struct {
	root    unitfile.Root
	sandbox *config.Sandbox
	set     unitfile.Set
	granted map[string]bool // capabilities that processes of the container can have
	denied  bool            // whether the host's policy lets none of them mount
	isNew   bool            // whether the content is to be made after the host's

	masked func() map[string]string // why units do not run that the sandbox can be without, by name
}

func newFitter(root unitfile.Root, s *config.Sandbox, set unitfile.Set, denied bool) *fitter {
	f := fitter{root: root, sandbox: s, set: set, denied: denied, granted: make(map[string]bool)}
	isMasked := func(u *unitfile.Unit) bool { return slices.Contains(maskedUnits(), u.Name) }
	f.set.Wanted = slices.DeleteFunc(slices.Clone(set.Wanted), isMasked)
	f.masked = sync.OnceValue(f.findMasked)
	for _, name := range domain.PlannedCapabilities(s, set.Capabilities(!denied)) {
		f.granted[name] = true
	}
	return &f
}

func (f *fitter) fit() (*Fitting, error) {
	var to Fitting
	if !f.sandbox.Hardening.UserNamespaces {
		to.put("service.d/"+namespacesDropIn, noNamespaces)
	}
	for _, u := range f.set.All() {
		f.adaptTo(&to, u, false)
	}
	for _, u := range f.set.All() {
		if err := f.mount(&to, u); err != nil {
			return nil, f.refusal(u, err.Error(), "run it on the host, or take the directive away by a drop-in of the unit")
		}
	}
	for _, u := range f.set.Wanted {
		f.fitWanted(&to, u)
	}
	return &to, nil
}

// adaptTo adds the adaptation of a unit. keepConditions has those stay that no container can meet.
func (f *fitter) adaptTo(to *Fitting, u *unitfile.Unit, keepConditions bool) {
	if isMount(u) {
		return
	}
	a := f.adapt(u, keepConditions)
	if text := a.text(); text != "" {
		to.put(u.Name+".d/"+adaptedDropIn, text)
	}
	for _, note := range a.notes {
		to.note(u, "%s", note)
	}
}

// fitWanted has a unit run that the sandbox can be without, or masks it: it would keep those waiting that come after
// it, and count as failed. A condition keeps it from being started without failing, and stays.
func (f *fitter) fitWanted(to *Fitting, u *unitfile.Unit) {
	if condition := f.unmetOf(u, "Condition"); condition != "" {
		to.note(u, "%s wants it, and %s keeps it from being started in a container, unless it is asked for", u.By, condition)
		return
	}
	own := Fitting{Binds: slices.Clone(to.Binds)}
	if why := f.masked()[u.Name]; why != "" {
		to.put(u.Name, "")
		to.note(u, "%s wants it, and it is not started in a container: %s", u.By, why)
		return
	}
	f.adaptTo(&own, u, true)
	if err := f.mount(&own, u); err != nil {
		return // Not of one that is not masked.
	}
	for name, text := range own.Units {
		to.put(name, text)
	}
	to.Binds, to.Memory = own.Binds, append(to.Memory, own.Memory...)
	to.Dirs, to.notes = append(to.Dirs, own.Dirs...), append(to.notes, own.notes...)
}

// findMasked finds the units that do not run and that the sandbox can be without, and those of these that require them.
func (f *fitter) findMasked() map[string]string {
	masked := make(map[string]string)
	for before := -1; before < len(masked); {
		before = len(masked)
		for _, u := range f.set.Wanted {
			if masked[u.Name] != "" || f.unmetOf(u, "Condition") != "" {
				continue
			}
			if why := f.keeping(u, masked); why != "" {
				masked[u.Name] = why
			}
		}
	}
	return masked
}

// keeping returns what keeps a unit from running in a container that can be without it, where others are masked; "" for
// nothing.
func (f *fitter) keeping(u *unitfile.Unit, masked map[string]string) string {
	if why, _ := f.impossible(u); why != "" {
		return why
	}
	if assertion := f.unmetOf(u, "Assert"); assertion != "" {
		return "that needs " + assertion
	}
	if err := f.mount(&Fitting{}, u); err != nil {
		return err.Error()
	}
	names, _ := u.Requires()
	for _, name := range names {
		if masked[name] != "" {
			return "it requires " + name
		}
	}
	return ""
}
