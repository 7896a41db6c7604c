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

// checkHostOnly refuses a unit whose purpose is the machine's clock or hardware: there is one clock for all, and a
// container has no devices. What a unit could do without is left out of it instead.
func (p *plan) checkHostOnly(u *unitfile.Unit) error {
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
		for _, c := range slices.Concat(u.Conditions("Condition"), u.Conditions("Assert")) {
			if c.Kind == "Capability" && !c.Negated && strings.EqualFold(c.Value, need.capability) {
				return need.what, "ConditionCapability=" + need.capability
			}
		}
		for _, directive := range []string{"AmbientCapabilities", "CapabilityBoundingSet"} {
			if need.capability == "CAP_SYS_TIME" && slices.Contains(u.NamedCapabilities(directive), need.capability) {
				return need.what, directive + "=" + need.capability
			}
		}
	}
	if slices.Contains(u.Words("Before"), timeTarget) &&
		(slices.Contains(u.Words("Wants"), timeTarget) || slices.Contains(u.Words("Requires"), timeTarget)) &&
		!p.granted["CAP_SYS_TIME"] {
		return "it sets the clock", "Before=" + timeTarget
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
