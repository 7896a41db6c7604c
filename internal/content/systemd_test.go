// SPDX-License-Identifier: Apache-2.0

package content

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// booted prepares content that runs units and gives a snapshot of its /etc/systemd/system, by names below it.
func booted(t *testing.T, h fakeHost, units []string, private ...string) map[string]string {
	t.Helper()
	s := box(t, private...)
	s.Command, s.Units = nil, units
	prepare(t, h, s)
	found := make(map[string]string)
	for p, what := range hosttest.Part(contentOf(t, s), "/"+SystemDir) {
		found[strings.TrimPrefix(p, "/"+SystemDir+"/")] = what
	}
	return found
}

// TestContainerEnablesOnlyItsUnits: not what the host enables.
func TestContainerEnablesOnlyItsUnits(t *testing.T) {
	h := newHost(t, map[string]string{
		unitFile: bareUnit,
		"/usr/lib/systemd/system/instance@.service":                        bareUnit,
		"/usr/lib/systemd/system/other.service":                            bareUnit,
		"/etc/systemd/system/multi-user.target.wants/other.service":        "-> /usr/lib/systemd/system/other.service",
		"/etc/systemd/system/other.service.d/10-a.conf":                    "[Service]\nNice=1\n",
		"/etc/systemd/system/mine.service":                                 bareUnit + "Nice=2\n",
		"/etc/systemd/system/mine.service.d/10-a.conf":                     "[Service]\nNice=3\n",
		"/usr/lib/systemd/system/mine.service.d/20-b.conf":                 "[Service]\nNice=4\n",
		"/etc/systemd/system/default.target.wants/host-only.service":       "-> /dev/null",
		"/usr/lib/systemd/system/multi-user.target.wants/from-usr.service": "-> ../other.service",
	})
	got := booted(t, h, []string{"d.service", "instance@box.service", "mine.service"})
	for name, want := range map[string]string{
		"multi-user.target.wants/d.service":            "-> " + unitFile,
		"multi-user.target.wants/instance@box.service": "-> /usr/lib/systemd/system/instance@.service",
		"multi-user.target.wants/mine.service":         "-> /etc/systemd/system/mine.service",
		"mine.service":                                 "Nice=2",
		"mine.service.d/10-a.conf":                     "Nice=3",
		"multi-user.target":                            "AllowIsolate=yes",
		"getty@.service":                               "-> /dev/null",
		"systemd-udevd.service":                        "-> /dev/null",
		"dev-hugepages.mount":                          "-> /dev/null",
		"systemd-timesyncd.service":                    "-> /dev/null",
		"systemd-networkd.service":                     "-> /dev/null",
		"console-getty.service":                        "-> /dev/null",
		"systemd-sysctl.service":                       "-> /dev/null",
		"systemd-modules-load.service":                 "-> /dev/null",
		"multi-user.target.wants/from-usr.service":     "-> /dev/null",
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
	for name := range got {
		if strings.Contains(name, "other") || strings.Contains(name, "host-only") || strings.Contains(name, "20-b") {
			t.Errorf("%s is there: %s", name, got[name])
		}
	}
}

func TestContainerWithABootTargetOfItsOwn(t *testing.T) {
	h := newHost(t, map[string]string{unitFile: bareUnit})
	s := box(t)
	s.Command, s.Units, s.BootTarget = nil, []string{"d.service"}, "my.target"
	prepare(t, h, s)
	got := contentOf(t, s)
	if link := got["/"+SystemDir+"/my.target.wants/d.service"]; !strings.Contains(link, "-> "+unitFile) {
		t.Errorf("d.service is wanted by %s", link)
	}
	if target, found := got["/"+SystemDir+"/"+config.DefaultBootTarget]; found {
		t.Errorf("%s is %s", config.DefaultBootTarget, target)
	}
}

// TestContainerMakesItsHostKeys where sshd's configuration is private, and only there.
func TestContainerMakesItsHostKeys(t *testing.T) {
	for _, private := range []string{"/etc/ssh", "/etc/ssh/sshd_config"} {
		h := newHost(t, map[string]string{
			"/usr/lib/systemd/system/sshd.service": bareUnit, "/usr/lib/systemd/system/sshd.socket": "[Socket]\n" +
				"ListenStream=22\n",
			"/etc/ssh/sshd_config": "", "/etc/ssh/ssh_host_rsa_key": "secret",
		})
		got := booted(t, h, []string{"sshd.service", "sshd.socket"}, private)
		var made []string
		for name := range got {
			if strings.Contains(name, "host-keys") {
				made = append(made, name)
			}
		}
		slices.Sort(made)
		var want []string
		if private == "/etc/ssh" {
			want = []string{"sshd.service.d/10-virt-sandbox-host-keys.conf", "virt-sandbox-host-keys.service"}
		}
		if !slices.Equal(made, want) {
			t.Errorf("%s is private: got %q, want %q", private, made, want)
		}
		// Fedora's units would make the same keys at the same time.
		if made != nil && !strings.Contains(got["virt-sandbox-host-keys.service"], "sshd-keygen@rsa.service") {
			t.Errorf("the keys are made beside those of the package:\n%s", got["virt-sandbox-host-keys.service"])
		}
	}
}

// TestContainerGenerators: a container has the generators of its units' packages, and none of the host's others; what
// root inside makes of them stays.
func TestContainerGenerators(t *testing.T) {
	h := newHost(t, nil)
	const generators = "/usr/lib/systemd/system-generators/"
	h.Packages = []pkgdb.Database{hosttest.Packages{hosttest.Ship(t, h.Root, map[string]string{
		unitFile: bareUnit, generators + "d-generator": "", generators + "systemd-of-the-machine": "",
	})}}
	h.add(map[string]string{generators + "other-generator": ""})
	s := box(t)
	s.Command, s.Units = nil, []string{"d.service"}
	prepare(t, h, s)
	got := strings.Join(slices.Sorted(maps.Keys(hosttest.Part(contentOf(t, s), guest.GeneratorDir))), " ")
	want := guest.GeneratorDir + " " + guest.GeneratorDir + "/README " + guest.GeneratorDir + "/d-generator"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	edit(t, s, guest.GeneratorDir+"/d-generator", "gone")
	prepare(t, h, s)
	if _, err := os.Lstat(s.Content + guest.GeneratorDir + "/d-generator"); err == nil {
		t.Error("what was removed inside is there again")
	}
}

// TestContainerUnmasks: a unit that is asked for later runs, though the host's package hangs it into every boot and
// that was masked.
func TestContainerUnmasks(t *testing.T) {
	const link = "multi-user.target.wants/later.service"
	h := newHost(t, map[string]string{
		unitFile: bareUnit, "/usr/lib/systemd/system/later.service": bareUnit,
		"/usr/lib/systemd/system/" + link: "-> ../later.service",
	})
	s := box(t)
	s.Command, s.Units = nil, []string{"d.service"}
	for _, want := range []string{"/dev/null", "/usr/lib/systemd/system/later.service"} {
		prepare(t, h, s)
		if got, err := os.Readlink(s.Content + "/" + SystemDir + "/" + link); err != nil || got != want {
			t.Errorf("it is %s, %v; want %s", got, err, want)
		}
		s.Units = append(s.Units, "later.service")
	}
}
