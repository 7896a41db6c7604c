// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Root inside gets nothing on a host without SELinux and AppArmor but what the table says.
func TestPlain(t *testing.T) {
	rig.On(t, rig.Attack, rig.Native)
	rig.Needs(t, rig.NoSELinux, rig.NoAppArmor)
	campaign(t, plain)
}

// Root inside that has user ids of its own gets nothing but what the table says, without SELinux and AppArmor too.
func TestMapped(t *testing.T) {
	rig.On(t, rig.Attack, rig.Native)
	rig.Needs(t, rig.NoSELinux, rig.NoAppArmor)
	campaign(t, mapped, "--idmap", "auto")
}

// Root inside under AppArmor, without user ids of its own, gets nothing but what the table says.
func TestAppArmor(t *testing.T) {
	rig.On(t, rig.Attack)
	rig.Needs(t, rig.AppArmorOn)
	campaign(t, apparmor)
}

// Root inside under SELinux, without user ids of its own, gets nothing but what the table says.
func TestSELinux(t *testing.T) {
	rig.On(t, rig.Attack)
	rig.Needs(t, rig.SELinux)
	campaign(t, selinux)
}

// campaign makes the attempts on one wall; where it is not the campaign's own run, only the fast ones.
func campaign(t *testing.T, w wall, options ...string) {
	t.Helper()
	if os.Getenv(rig.Variable) == "" {
		// Whatever libvirt answers here may be another run's.
		t.Skip("it needs a rig of its own: make attack")
	}
	rig.SetSysctl(t)
	if len(options) == 0 {
		options = []string{"--idmap", "none"}
	}
	list := attempts()
	if rig.Place(os.Getenv(rig.Variable)) != rig.Attack {
		list = slices.DeleteFunc(list, func(a attempt) bool { return !a.fast })
	}
	list = slices.DeleteFunc(list, func(a attempt) bool { return a.unwalled && (w == apparmor || w == selinux) })
	b := &box{name: "t-attack", wall: w, options: options}
	b.offer(t)
	b.create(t)
	b.install(t)
	must(t, "start", b.name)
	within := slices.DeleteFunc(slices.Clone(list), func(a attempt) bool { return a.inside == nil })
	for i, got := range b.try(t, within) {
		t.Run(got.Name, func(t *testing.T) {
			judge(t, w, within[i], got)
		})
	}
	for _, a := range list {
		if a.host != nil {
			t.Run(a.name, func(t *testing.T) {
				err := a.host(t, b)
				got := answer{Name: a.name, Got: err == nil}
				if err != nil {
					got.Refusal = "held"
				}
				judge(t, w, a, got)
			})
		}
	}
}

// judge compares an answer with what must be, and says it for the table.
func judge(t *testing.T, w wall, a attempt, got answer) {
	t.Helper()
	reason, remains := a.remains[w]
	word := got.Refusal
	switch {
	case got.Got && !remains:
		word = "got"
		t.Errorf("%s: root inside can %s", w, a.tries)
	case got.Got:
		word = "got"
		t.Logf("%s: %s", w, reason)
	case got.Odd:
		t.Errorf("%s: %s was refused by what is no refusal: %s", w, a.tries, got.Refusal)
	}
	// The table is made from these lines.
	fmt.Printf("attack: %s %s %s\n", w, a.name, word)
}
