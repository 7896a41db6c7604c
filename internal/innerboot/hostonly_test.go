// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestHostOnly: what sets the clock or drives hardware is refused before anything is made.
func TestHostOnly(t *testing.T) {
	for _, c := range []struct{ name, lines, want string }{
		{"chrony", "[Unit]\nConditionCapability=CAP_SYS_TIME\n", "sets the clock, by ConditionCapability=CAP_SYS_TIME"},
		{"in lower case", "[Unit]\nAssertCapability=cap_sys_time\n", "sets the clock, by AssertCapability=CAP_SYS_TIME"},
		{"one of several conditions", "[Unit]\nConditionCapability=|CAP_SYS_TIME\nConditionPathExists=|/etc/d\n", ""},
		{"openntpd", "[Unit]\nConflicts=systemd-timesyncd.service\n",
			"sets the clock, by Conflicts=systemd-timesyncd.service"},
		{"a capability among others", "[Service]\nCapabilityBoundingSet=CAP_CHOWN CAP_SYS_TIME\n" +
			"AmbientCapabilities=CAP_SYS_TIME\n", ""},
		{"phc2sys", "[Unit]\nBefore=time-sync.target\nWants=time-sync.target\n",
			"sets the clock, by Before=time-sync.target"},
		{"a disk's", "[Unit]\nBindsTo=dev-sda.device\n", "drives hardware, by BindsTo=dev-sda.device"},
		{"ports of the machine", "[Unit]\nConditionCapability=CAP_SYS_RAWIO\n", "drives hardware"},
		{"an administrator's drop-in", "[Unit]\nConditionCapability=CAP_SYS_TIME\nConditionCapability=\n", ""},
		{"what keeps from it", "[Service]\nCapabilityBoundingSet=~CAP_SYS_TIME\n", ""},
		{"a condition against it", "[Unit]\nConditionCapability=!CAP_SYS_TIME\n", ""},
		{"what waits for the time", "[Unit]\nWants=time-sync.target\nAfter=time-sync.target\n", ""},
		{"a secret of the host", "[Service]\nSetCredentialEncrypted=a:Whxqht+dQJax1aZeCGLxm\n", "needs the key of the host"},
		{"what can do without", "[Unit]\nWants=dev-sda.device\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := unitfile.Root(hosttest.Root(t, map[string]string{lib + "d.service": c.lines + bare}))
			_, err := Notes(root, box("d"), false)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestHostOnlyGranted: an administrator who gives the capability means it.
func TestHostOnlyGranted(t *testing.T) {
	files := map[string]string{lib + "d.service": "[Unit]\nConditionCapability=CAP_SYS_TIME\n" + bare}
	s := box("d")
	var err error
	if s.Hardening.Capabilities, err = config.ParseCapabilities("auto +CAP_SYS_TIME"); err != nil {
		t.Fatal(err)
	}
	if _, err := Notes(unitfile.Root(hosttest.Root(t, files)), s, false); err != nil {
		t.Error(err)
	}
}
