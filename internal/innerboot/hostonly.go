// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// timeTarget is what units that set the clock order themselves before and pull in (systemd.special(7)).
const timeTarget = "time-sync.target"

// timeService is the one of systemd's that sets the clock. Who conflicts with it sets the clock instead.
const timeService = "systemd-timesyncd.service"

// checkHostOnly refuses a unit that no container can run. Where another requires it, that is told.
func (f *fitter) checkHostOnly(u *unitfile.Unit) error {
	if why, instead := f.impossible(u); why != "" {
		return f.refusal(u, why, instead)
	}
	return nil
}

// refusal is the error of a unit that the sandbox cannot be without.
func (f *fitter) refusal(u *unitfile.Unit, why, instead string) error {
	if u.By == "" {
		return field.Errorf("%s %s: %s; %s", field.Units, u.Name, why, instead)
	}
	required, first := u.Name, u.By
	for _, other := range slices.Backward(f.set.Required) {
		if other.Name == first {
			required, first = u.Name+" (by "+u.By+")", other.By
		}
	}
	return field.Errorf("%s %s requires %s: %s; %s", field.Units, first, required, why, instead)
}

// impossible returns why no container can run a unit, and what to do instead; "" for one that it can. That is one whose
// purpose is the machine's clock or hardware: there is one clock for all, and a container has no devices. A capability
// that it merely asks for is left out instead, as it may do without. So is one with a secret that only the host can
// read, and one that cannot be without what no container has.
func (f *fitter) impossible(u *unitfile.Unit) (why, instead string) {
	const onHost = "run it on the host"
	if len(u.Words("SetCredentialEncrypted")) > 0 {
		return "SetCredentialEncrypted= needs the key of the host, which no container has",
			"use LoadCredential= with a file, or " + onHost
	}
	if place := mountPlace(u); place != "" && f.mustMount(u, place) {
		const why = "no unit of this container can mount"
		if what := u.Words("What"); len(what) == 0 || !path.IsAbs(what[len(what)-1]) || isFixed(place) || isMadeLater(place) {
			return why, onHost
		}
		return why, fmt.Sprintf("a mount such as host-bind:%s=%s of the sandbox does that, or %s", place, place, onHost)
	}
	names, directives := u.Requires()
	for i, name := range names {
		if slices.Contains(maskedUnits(), name) && !f.set.Has(name) {
			return fmt.Sprintf("no container has %s, by %s=%s", name, directives[i], name), onHost
		}
	}
	if what, by := f.hostOnly(u); what != "" {
		return fmt.Sprintf("%s, by %s, which no container can", what, by), onHost
	}
	return "", ""
}

// mountPlace returns where a unit of type mount or automount mounts; "" for any other.
func mountPlace(u *unitfile.Unit) string {
	words := u.Words("Where")
	if !isMount(u) || len(words) == 0 {
		return ""
	}
	return path.Clean(words[len(words)-1])
}

func isMount(u *unitfile.Unit) bool {
	return strings.HasSuffix(u.Name, ".mount") || strings.HasSuffix(u.Name, ".automount")
}

// mustMount reports whether a unit that others pull in would have to mount, and cannot: nothing is mounted there before
// the container's systemd runs, so that it would take the unit for started.
func (f *fitter) mustMount(u *unitfile.Unit, place string) bool {
	isMounted := slices.Contains(keptMounts(), strings.TrimPrefix(place, "/")) ||
		slices.ContainsFunc(f.sandbox.Mounts, func(m config.Mount) bool { return m.Target == place })
	return u.By != "" && !isMounted && !f.mayMount() && f.unmetOf(u, "Condition") == ""
}

// unmetOf returns a condition, or an assertion, by which systemd does not start a unit in a container; "" for none.
func (f *fitter) unmetOf(u *unitfile.Unit, prefix string) string {
	all := u.Conditions(prefix)
	mayBeMet := slices.ContainsFunc(all, func(c unitfile.Condition) bool { return c.Trigger && !f.unmet(c) })
	for _, c := range all {
		if f.unmet(c) && (!c.Trigger || !mayBeMet) {
			return prefix + c.String()
		}
	}
	return ""
}

// hostOnly returns what a unit is for that no container can, and the assignment that says so; "" for nothing.
func (f *fitter) hostOnly(u *unitfile.Unit) (what, by string) {
	for _, need := range []struct{ capability, what string }{
		{"CAP_SYS_TIME", "it sets the clock"}, {"CAP_SYS_RAWIO", "it drives hardware"},
	} {
		if f.granted[need.capability] {
			continue
		}
		for _, prefix := range []string{"Condition", "Assert"} {
			for _, c := range u.Conditions(prefix) {
				// A trigger is one of several, of which another may be met.
				if c.Kind == "Capability" && !c.Negated && !c.Trigger && strings.EqualFold(c.Value, need.capability) {
					return need.what, prefix + "Capability=" + need.capability
				}
			}
		}
	}
	pulls := slices.Contains(u.Words("Wants"), timeTarget) || slices.Contains(u.Words("Requires"), timeTarget)
	switch {
	case f.granted["CAP_SYS_TIME"]:
	case pulls && slices.Contains(u.Words("Before"), timeTarget):
		return "it sets the clock", "Before=" + timeTarget
	case slices.Contains(u.Words("Conflicts"), timeService):
		return "it sets the clock", "Conflicts=" + timeService
	}
	names, directives := u.Requires()
	for i, name := range names {
		if strings.HasSuffix(name, ".device") {
			return "it drives hardware", fmt.Sprintf("%s=%s", directives[i], name)
		}
	}
	return "", ""
}
