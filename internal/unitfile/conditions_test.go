// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestConditions: an empty condition resets those of all kinds, and what is left out takes no others along but the
// triggers that the host would take for met.
func TestConditions(t *testing.T) {
	unmet := func(c Condition) bool { return c.Kind == "Virtualization" }
	for lines, want := range map[string]string{
		"": "; ",
		"ConditionPathExists=!/a\nConditionVirtualization=!container": "PathExists=!/a " +
			"Virtualization=!container; PathExists=!/a",
		"ConditionA=1\nConditionVirtualization=\nConditionB=| ! 2":          "B=|!2; B=|!2",
		"ConditionVirtualization=|!container\nConditionA=|x\nConditionB=%i": "Virtualization=|!container A=|x B=%i; B=%i",
		"ConditionA=x\\ \nAssertB=y":                                        "A=x\\ ; A=x\\ ",
		"ConditionA=|x\nConditionB=y":                                       "A=|x B=y; A=|x B=y",
		"[Service]\nConditionA=x":                                           "; ",
	} {
		host := Root(hosttest.Root(t, map[string]string{"/usr/lib/systemd/system/d.service": "[Unit]\n" + lines + "\n"}))
		all := findUnit(t, host, "d").Conditions("Condition")
		if got := conditionsText(all) + "; " + conditionsText(Without(all, unmet)); got != want {
			t.Errorf("%q: got %q, want %q", lines, got, want)
		}
	}
}

func conditionsText(all []Condition) string {
	var words []string
	for _, c := range all {
		words = append(words, c.String())
	}
	return strings.Join(words, " ")
}
