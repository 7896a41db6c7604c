// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// adaptation is what keeps a unit from needing what a container lacks, and makes it tell when it is up.
type adaptation struct {
	unit, service string // lines of a drop-in's sections
	notes         []string
}

// text returns the drop-in; "" for a unit that is right as it is.
func (a adaptation) text() string {
	text := ""
	if a.unit != "" {
		text += "[Unit]\n" + a.unit
	}
	if a.service != "" {
		text += "[Service]\n" + a.service
	}
	return text
}

func (a *adaptation) note(format string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(format, args...))
}

func (f *fitter) adapt(u *unitfile.Unit, keepConditions bool) adaptation {
	var a adaptation
	for _, prefix := range []string{"Condition", "Assert"} {
		if !keepConditions {
			f.adaptConditions(&a, u, prefix)
		}
	}
	f.adaptCapabilities(&a, u)
	f.adaptScheduling(&a, u)
	adaptUser(&a, u)
	f.tellDirectory(&a, u)
	tellLimits(&a, u)
	tellCredentials(&a, u)
	f.tellPrivileges(&a, u)
	if u.IsSimple() {
		a.service += "# Started means executed: a start reports what cannot be executed.\nType=exec\n"
	}
	return a
}

// adaptConditions leaves out what no container can meet. An empty condition resets those of all kinds, so that the
// others are said again.
func (f *fitter) adaptConditions(a *adaptation, u *unitfile.Unit, prefix string) {
	all := u.Conditions(prefix)
	kept := unitfile.Without(all, f.unmet)
	if len(kept) == len(all) {
		return
	}
	a.unit += "# The service is meant to run in this container; an empty line resets conditions of all kinds.\n" +
		prefix + all[0].Kind + "=\n"
	for _, c := range kept {
		a.unit += prefix + c.String() + "\n"
	}
	for _, c := range all {
		if f.unmet(c) {
			a.note("%s%s does not count in a container", prefix, c)
		}
	}
}

// virtualizations are what a condition can call this container (systemd.unit(5), ConditionVirtualization=).
var virtualizations = []string{"yes", "true", "on", "1", "container", "lxc-libvirt"}

// unmet reports whether a condition asks for what a container never is or has. Those that look at files or at anything
// else that can be made inside are the service's own matter.
func (f *fitter) unmet(c unitfile.Condition) bool {
	switch c.Kind {
	case "Virtualization":
		isMet := slices.Contains(virtualizations, strings.ToLower(c.Value)) ||
			c.Value == "private-users" && f.hasOwnIDs()
		return isMet == c.Negated
	case "Capability":
		return !c.Negated && !f.granted[strings.ToUpper(c.Value)]
	}
	return false
}

// adaptCapabilities leaves out what no process of the container can have.
func (f *fitter) adaptCapabilities(a *adaptation, u *unitfile.Unit) {
	withheld := func(directive string) []string {
		names := slices.DeleteFunc(u.NamedCapabilities(directive), func(name string) bool { return f.granted[name] })
		slices.Sort(names)
		return slices.Compact(names)
	}
	if names := withheld("AmbientCapabilities"); len(names) > 0 {
		a.service += "# No process of this container can have these.\nAmbientCapabilities=~" + strings.Join(names, " ") + "\n"
		a.note("it runs without %s, which this container does not have", strings.Join(names, " "))
	} else if names := withheld("CapabilityBoundingSet"); len(names) > 0 {
		a.note("it may ask for %s, which this container does not have", strings.Join(names, " "))
	}
}

// hasOwnIDs reports whether the container has user ids of its own, and so a user namespace.
func (f *fitter) hasOwnIDs() bool {
	ids := f.sandbox.Hardening.IDMap
	return ids.Auto || ids.Count > 0
}

// adaptScheduling leaves out what the kernel lets nobody in a user namespace have, and systemd starts no service
// without.
func (f *fitter) adaptScheduling(a *adaptation, u *unitfile.Unit) {
	if !f.hasOwnIDs() {
		return
	}
	for _, d := range []struct{ name, ordinary string }{
		{"CPUSchedulingPolicy", "other"}, {"IOSchedulingClass", "best-effort"},
	} {
		words := u.Words(d.name)
		if len(words) == 0 || !slices.Contains([]string{"fifo", "rr", "realtime", "1"}, words[len(words)-1]) {
			continue
		}
		a.service += "# The kernel lets nobody with user ids of a container have more.\n" + d.name + "=" + d.ordinary + "\n"
		a.note("%s=%s does not work in a container with user ids of its own", d.name, words[len(words)-1])
	}
}

// adaptUser has a unit that runs as a user of the moment run as one of the container that stays (content makes it):
// systemd starts none of the moment without mounts, for which nothing here has the right. What else the directive
// stands for stays, but for mounts. A directory of state that such a user had is moved by systemd.
func adaptUser(a *adaptation, u *unitfile.Unit) {
	user, group, ok := u.DynamicUser()
	if !ok {
		return
	}
	a.service += fmt.Sprintf("# The user is one of this container: for one of the moment systemd would have to mount.\n"+
		"DynamicUser=no\nUser=%s\nGroup=%s\nNoNewPrivileges=yes\nRestrictSUIDSGID=yes\nRemoveIPC=yes\n", user, group)
	a.note("its DynamicUser= is the user %s of this container", user)
}
