// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// planned returns the inner boot of units of a host, by the paths of its entries.
func planned(t *testing.T, files map[string]string, units ...string) map[string]string {
	t.Helper()
	root, s := unitfile.Root(hosttest.Root(t, files)), box(units...)
	set, err := root.FindAll(s.Units, s.Name, func(err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, e := range Plan(root, s, set, false) {
		text := e.Text
		if e.Link != "" {
			text = "-> " + e.Link
		} else if e.Host != "" {
			text = "copy of " + e.Host
		}
		if old, twice := found[e.Path]; twice && old != text {
			t.Errorf("%s is both %s and %s", e.Path, old, text)
		}
		found[e.Path] = text
	}
	return found
}

// fitted returns what a start puts below /run/systemd/system for units of a host.
func fitted(t *testing.T, files map[string]string, units ...string) map[string]string {
	t.Helper()
	s := box(units...)
	f, err := fitOf(unitfile.Root(hosttest.Root(t, files)), s, false)
	if err != nil {
		t.Fatal(err)
	}
	return Runtime(s, *f)
}

func fitOf(root unitfile.Root, s *config.Sandbox, denied bool) (*Fitting, error) {
	set, err := root.FindAll(s.Units, s.Name, func(error) error { return nil })
	if err != nil {
		return nil, err
	}
	return Fit(root, s, set, denied)
}

func box(units ...string) *config.Sandbox {
	s := config.New("box")
	s.Units = units
	return s
}

const (
	lib  = "/usr/lib/systemd/system/"
	etc  = "/etc/systemd/system/"
	bare = "[Service]\nType=notify\nExecStart=/usr/sbin/d\n"
)

// TestRebootIsToldFirst: whoever finds the monitor killed between both words goes by the first.
func TestRebootIsToldFirst(t *testing.T) {
	text := planned(t, map[string]string{lib + "d.service": bare}, "d")["virt-sandbox-rebooting.service"]
	if !strings.Contains(text, "\nBefore=virt-sandbox-stopping.service final.target\n") {
		t.Errorf("the unit that tells of a reboot:\n%s", text)
	}
}

// TestDynamicUser: a user of the moment needs mounts, and one of the container none.
func TestDynamicUser(t *testing.T) {
	files := map[string]string{lib + "d.service": bare + "DynamicUser=yes\n", lib + "e.service": bare}
	got := fitted(t, files, "d", "e")
	const dropIn = ".service.d/" + adaptedDropIn
	for _, want := range []string{"\nDynamicUser=no\nUser=d\nGroup=d\n", "\nNoNewPrivileges=yes\n"} {
		if !strings.Contains(got["d"+dropIn], want) {
			t.Errorf("the drop-in lacks %q:\n%s", want, got["d"+dropIn])
		}
	}
	if strings.Contains(got["e"+dropIn], "User=") {
		t.Errorf("a unit without has %s", got["e"+dropIn])
	}
	notes, err := Notes(unitfile.Root(hosttest.Root(t, files)), box("d", "e"), false)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "the user d of this container") {
		t.Errorf("got %q, %v", notes, err)
	}
}

// TestTold: create says what of a unit does not come true in a container.
func TestTold(t *testing.T) {
	for lines, want := range map[string]string{
		"WorkingDirectory=/home/d":                      "host-bind:/home/d=/home/d shows it",
		"WorkingDirectory=/var/lib/d":                   "",
		"WorkingDirectory=~":                            "",
		"WorkingDirectory=/shown/d/sub":                 "",
		"WorkingDirectory=-/home/d":                     "",
		"TasksMax=5\nMemoryMax=1G":                      "MemoryMax= TasksMax= does not count",
		"TasksMax=":                                     "",
		"TasksMax=99%\nMemoryMax=infinity":              "",
		"CPUQuota=50%":                                  "CPUQuota= does not count",
		"User=d\nPrivateDevices=yes":                    "with PrivateDevices= in a container its programs gain no rights",
		"User=d\nPrivateDevices=no":                     "",
		"User=d\nSystemCallFilter=@system-service":      "with SystemCallFilter=",
		"User=d\nPrivateDevices=1\nNoNewPrivileges=yes": "",
		"PrivateDevices=yes":                            "",
		"LoadCredentialEncrypted=a:/etc/d.cred":         "encrypt it inside",
		"LoadCredential=a:/etc/d.cred":                  "",
		"SetCredential=a:text":                          "",
	} {
		root := unitfile.Root(hosttest.Root(t, map[string]string{lib + "d.service": bare + lines + "\n"}))
		s := box("d")
		s.Mounts = []config.Mount{{Target: "/shown/d"}}
		notes, err := Notes(root, s, false)
		text := strings.Join(notes, "\n")
		if err != nil || (text == "") != (want == "") || !strings.Contains(text, want) {
			t.Errorf("%q: told %q, %v; want %q", lines, text, err, want)
		}
	}
}

// TestScheduling: real time is for who has the host's ids.
func TestScheduling(t *testing.T) {
	root := unitfile.Root(hosttest.Root(t, map[string]string{
		lib + "d.service": bare + "CPUSchedulingPolicy=rr\nIOSchedulingClass=realtime\n",
		lib + "e.service": bare + "CPUSchedulingPolicy=batch\nIOSchedulingClass=idle\n",
	}))
	s := box("d", "e")
	for count, want := range map[uint32]int{0: 0, 65536: 2} {
		s.Hardening.IDMap.Count = count
		if notes, err := Notes(root, s, false); err != nil || len(notes) != want {
			t.Errorf("noted %q, %v", notes, err)
		}
		f, err := fitOf(root, s, false)
		if err != nil {
			t.Fatal(err)
		}
		if text := f.Units["d.service.d/"+adaptedDropIn]; strings.Contains(text, "=other\n") != (want > 0) {
			t.Errorf("adapted by %q", text)
		}
	}
}

// TestUnitsInside: units that the container would not find are copied, and all their names and drop-ins with them.
func TestUnitsInside(t *testing.T) {
	got := planned(t, map[string]string{
		lib + "d.service": bare + "[Install]\nAlias=enabled.service\n", etc + "alias.service": "-> " + lib + "d.service",
		etc + "alias.service.d/a.conf": "[Service]\n", lib + "d.service.d/shipped.conf": "[Service]\n",
		"/opt/acme/l.service": bare, etc + "l.service": "-> /opt/acme/l.service",
		"/opt/acme/i@.service": bare, etc + "i@.service": "-> /opt/acme/i@.service",
	}, "alias", "l", "i@one")
	for name, want := range map[string]string{
		"multi-user.target.wants/d.service":     "-> " + lib + "d.service",
		"alias.service":                         "-> " + lib + "d.service",
		"enabled.service":                       "-> " + lib + "d.service",
		"alias.service.d/a.conf":                "copy of " + etc + "alias.service.d/a.conf",
		"d.service.d/shipped.conf":              "",
		"l.service":                             "copy of /opt/acme/l.service",
		"multi-user.target.wants/l.service":     "-> " + etc + "l.service",
		"i@.service":                            "copy of /opt/acme/i@.service",
		"multi-user.target.wants/i@one.service": "-> " + etc + "i@.service",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// TestTriggeredUnits: what a socket starts is prepared as if it had been asked for, and started by nothing else.
func TestTriggeredUnits(t *testing.T) {
	files := map[string]string{
		lib + "t.socket":           "[Socket]\nListenStream=1\n",
		lib + "t.service":          "[Unit]\nConditionVirtualization=!container\n" + bare,
		etc + "t.service.d/a.conf": "[Service]\nNice=1\n",
	}
	got := planned(t, files, "t.socket")
	text := fitted(t, files, "t.socket")["t.service.d/"+adaptedDropIn]
	if !strings.HasSuffix(text, "\nConditionVirtualization=\n") {
		t.Errorf("adapted by %q", text)
	}
	if got["t.service.d/a.conf"] == "" || got["multi-user.target.wants/t.service"] != "" {
		t.Errorf("got %q", got)
	}
}

// TestAdaptations: each thing that a container cannot give is left out by itself, and said.
func TestAdaptations(t *testing.T) {
	for _, c := range []struct{ name, lines, want, notes string }{
		{"nothing", "", "", ""},
		{
			"a condition beside others",
			"[Unit]\nConditionPathExists=!/etc/d.off\nConditionVirtualization=!container\nConditionHost=a",
			"ConditionPathExists=\nConditionPathExists=!/etc/d.off\nConditionHost=a\n",
			"d.service: ConditionVirtualization=!container does not count in a container",
		},
		{
			"a trigger", "[Unit]\nConditionVirtualization=|!yes\nConditionPathExists=|/never",
			"ConditionVirtualization=\n", "d.service: ConditionVirtualization=|!yes does not count in a container",
		},
		{
			"a machine", "[Unit]\nConditionVirtualization=vm", "ConditionVirtualization=\n",
			"d.service: ConditionVirtualization=vm does not count in a container",
		},
		{"another container manager", "[Unit]\nConditionVirtualization=!docker\nConditionVirtualization=container", "", ""},
		{
			"an assertion", "[Unit]\nAssertVirtualization=no\nConditionPathExists=/x", "AssertVirtualization=\n",
			"d.service: AssertVirtualization=no does not count in a container",
		},
		{
			"a condition of a capability",
			"[Unit]\nConditionCapability=CAP_SYS_MODULE\nConditionCapability=CAP_CHOWN\nConditionCapability=!CAP_SYSLOG",
			"ConditionCapability=\nConditionCapability=CAP_CHOWN\nConditionCapability=!CAP_SYSLOG\n",
			"d.service: ConditionCapability=CAP_SYS_MODULE does not count in a container",
		},
		{
			"capabilities", "[Service]\nAmbientCapabilities=CAP_SYSLOG CAP_CHOWN cap_wake_alarm CAP_BPF",
			"AmbientCapabilities=~CAP_BPF CAP_SYSLOG CAP_WAKE_ALARM\n",
			"d.service: it runs without CAP_BPF CAP_SYSLOG CAP_WAKE_ALARM, which this container does not have",
		},
		{
			"a bound", "[Service]\nCapabilityBoundingSet=CAP_SYS_PACCT CAP_CHOWN", "",
			"d.service: it may ask for CAP_SYS_PACCT, which this container does not have",
		},
		{"what is given when it is asked for", "[Service]\nAmbientCapabilities=CAP_IPC_LOCK CAP_SYS_ADMIN", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{lib + "d.service": c.lines + "\n" + bare}
			text := fitted(t, files, "d")["d.service.d/"+adaptedDropIn]
			lines := slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(l string) bool {
				return strings.HasPrefix(l, "#") || strings.HasPrefix(l, "[")
			})
			if got := strings.Join(lines, ""); got != c.want {
				t.Errorf("adapted by %q, want %q", got, c.want)
			}
			notes, err := Notes(unitfile.Root(hosttest.Root(t, files)), box("d", "absent"), false)
			if got := strings.Join(notes, "\n"); err != nil || got != c.notes {
				t.Errorf("noted %q, %v; want %q", got, err, c.notes)
			}
		})
	}
}
