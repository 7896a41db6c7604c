// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// A sandbox without interfaces needs no libvirt for its network; one with an interface gets a MAC address.
func TestPlanNetwork(t *testing.T) {
	h := newHost(t)
	h.noAnswer = errors.New("no answer")
	s := config.New("web")
	s.UUID = "01234567-89ab-4def-8123-456789abcdef"
	if err := errors.Join(h.PlanNetwork(s), h.chooseMACs(s)); err != nil {
		t.Errorf("without interfaces: %v", err)
	}
	s.Interfaces = []config.Interface{{Source: "default"}}
	says(t, h.PlanNetwork(s), "no answer")
	says(t, h.chooseMACs(s), "no answer")
	h.noAnswer = nil
	if err := h.PlanNetwork(s); err != nil || !s.HasMACs() {
		t.Errorf("%+v, %v", s.Interfaces, err)
	}
}

// A MAC address that another sandbox has is refused.
func TestPlanNetworkOfTakenMAC(t *testing.T) {
	h := newHost(t)
	other := config.New("other")
	other.Units = []string{"web.service"}
	other.Interfaces = []config.Interface{{Source: "default", MAC: "52:54:00:12:34:56"}}
	if err := h.Configs.Save(other); err != nil {
		t.Fatal(err)
	}
	s := config.New("web")
	s.Interfaces = []config.Interface{{Source: "default", MAC: "52:54:00:12:34:56"}}
	says(t, h.PlanNetwork(s), "sandbox other has the MAC address")
}
