// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const hooks = "../../packaging/hooks"

// The hooks that are shipped bring containers up to date in the run of the package manager itself.
func TestUpgradeHooks(t *testing.T) {
	rig.On(t, rig.Native)
	absolute, err := filepath.Abs(hooks)
	if err != nil {
		t.Fatal(err)
	}
	follows := func(t *testing.T, want string) {
		t.Helper()
		if got := shell(t, "cat "+contentDir+"/t-hook/etc/vstup/follows.conf"); got != want {
			t.Errorf("has %q, want %q", got, want)
		}
	}
	begin := func(t *testing.T, install func(*testing.T, int), remove string) {
		t.Cleanup(func() { shell(t, remove+"; rm -rf /etc/vstup /etc/vstup-new") })
		install(t, 1)
		create(t, "t-hook", "-C", "-u", "vst-upgrade")
		follows(t, "version 1\n")
	}
	t.Run("apt", func(t *testing.T) {
		begin(t, installDeb, "dpkg --purge vst-upgrade")
		deb := buildDeb(t, 2)
		shell(t, "cat "+absolute+"/apt.conf; APT_CONFIG="+absolute+
			"/apt.conf DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "+deb)
		follows(t, "version 2\n")
	})
	t.Run("dpkg", func(t *testing.T) {
		begin(t, installDeb, "dpkg --purge vst-upgrade vst-hook")
		dir := filepath.Join(t.TempDir(), "hook")
		writeTree(t, dir, map[string]string{"/DEBIAN/control": "Package: vst-hook\nVersion: 1\nArchitecture: " +
			"all\nMaintainer: virt-sandbox <root@localhost>\nDescription: triggers\n"})
		shell(t, "cp "+hooks+"/dpkg.triggers "+dir+"/DEBIAN/triggers && install -m 755 "+hooks+"/dpkg.postinst "+dir+
			"/DEBIAN/postinst && chmod -R go-w "+dir+" && dpkg-deb -b --root-owner-group "+dir+" "+dir+".deb && dpkg -i "+dir+
			".deb")
		installDeb(t, 2)
		follows(t, "version 2\n")
	})
	t.Run("rpm", func(t *testing.T) {
		begin(t, installRPM, "rpm -e vst-upgrade; rpm -e vst-hook")
		dir := t.TempDir()
		trigger, err := os.ReadFile(hooks + "/filetrigger.spec")
		if err != nil {
			t.Fatal(err)
		}
		// rpm gives scriptlets a PATH of its own.
		installed, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(trigger), "\n"+program+" ", "\n"+installed+" ")
		writeTree(t, dir, map[string]string{"/vst-hook.spec": "Name: vst-hook\nVersion: 1\nRelease: 1\nSummary: " +
			"Triggers\nLicense: none\nBuildArch: noarch\nAutoReqProv: no\n%description\nNone.\n" + text + "%files\n"})
		shell(t, "rpmbuild --quiet -bb --define '_topdir "+dir+"/top' "+dir+
			"/vst-hook.spec && rpm -i --nodeps --force-debian "+dir+"/top/RPMS/noarch/*.rpm")
		installRPM(t, 2)
		follows(t, "version 2\n")
	})
}
