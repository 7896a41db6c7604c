// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// All programs print one version, that which the build has put into them.
func TestVersion(t *testing.T) {
	rig.On(t, rig.Native)
	versions := make(map[string]bool)
	for _, name := range []string{
		"virt-sandbox", "virt-sandbox-service", "virt-sandbox-service-helper", "virt-sandbox-service-monitor",
		"virt-sandbox-service-monitor-dhcp", "virt-sandbox-service-generator", "virt-sandbox-init",
	} {
		out, err := exec.Command("../../bin/"+name, "--version").CombinedOutput()
		version, found := strings.CutPrefix(string(out), name+" version ")
		if err != nil || !found || strings.Count(version, "\n") != 1 {
			t.Errorf("%s --version: %v, %q", name, err, out)
		}
		versions[version] = true
	}
	if len(versions) != 1 || versions["(devel)\n"] {
		t.Errorf("the programs' versions are %v; the Makefile stamps one", versions)
	}
}
