// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// timeTarget is what units that set the clock order themselves before and pull in (systemd.special(7)).
const timeTarget = "time-sync.target"

// timeService is the one of systemd's that sets the clock. Who conflicts with it sets the clock instead.
const timeService = "systemd-timesyncd.service"

// checkHostOnly refuses a unit whose purpose is the machine's clock or hardware: there is one clock for all, and a
// container has no devices. A capability that it merely asks for is left out instead, as it may do without. So is one
// with a secret that only the host can read.
func (p *plan) checkHostOnly(u *unitfile.Unit) error {
	if len(u.Words("SetCredentialEncrypted")) > 0 {
		return field.Errorf("%s %s: SetCredentialEncrypted= needs the key of the host, which no container has; use "+
			"LoadCredential= with a file, or run it on the host", field.Units, u.Name)
	}
	what, by := p.hostOnly(u)
	if what == "" {
		return nil
	}
	return field.Errorf("%s %s: %s, by %s, which no container can; run it on the host", field.Units, u.Name, what, by)
}

// hostOnly returns what a unit is for that no container can, and the assignment that says so; "" for nothing.
func (p *plan) hostOnly(u *unitfile.Unit) (what, by string) {
	for _, need := range []struct{ capability, what string }{
		{"CAP_SYS_TIME", "it sets the clock"}, {"CAP_SYS_RAWIO", "it drives hardware"},
	} {
		if p.granted[need.capability] {
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
	case p.granted["CAP_SYS_TIME"]:
	case pulls && slices.Contains(u.Words("Before"), timeTarget):
		return "it sets the clock", "Before=" + timeTarget
	case slices.Contains(u.Words("Conflicts"), timeService):
		return "it sets the clock", "Conflicts=" + timeService
	}
	for _, directive := range []string{"BindsTo", "Requires", "Requisite"} {
		for _, unit := range u.Words(directive) {
			if strings.HasSuffix(unit, ".device") {
				return "it drives hardware", fmt.Sprintf("%s=%s", directive, unit)
			}
		}
	}
	return "", ""
}
