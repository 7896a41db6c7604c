// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// Each setting is told with who says it: a line of the config, one of the state, or nobody.
func TestSettings(t *testing.T) {
	dir := t.TempDir()
	store := config.Store{Dir: dir, States: statefile.Dir(filepath.Join(dir, "states"))}
	text := "# mine\n[sandbox]\nformat=2\nname=web\nunit=b.service\nunit=a.service\nautostart=no\ncopy=true\n" +
		"[network]\ninterface=dhcp\n[private]\npath=admin /srv/x\n[service]\nRestartSec=1\n[limits]\npids=none\n"
	if err := os.WriteFile(store.Path("web"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	s.MachineID, s.Security.Level = strings.Repeat("a", 32), "s0:c1,c2"
	s.Interfaces[0].MAC = "52:54:00:00:00:01"
	s.Private = append(s.Private, config.PrivatePath{Path: "/etc/b", Origin: "package:b"})
	if err := store.Keep(s); err != nil {
		t.Fatal(err)
	}
	settings, err := Settings(store, "web")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range settings {
		file := strings.TrimPrefix(s.File, dir)
		got = append(got, fmt.Sprintf("%s.%s=%s: %s %s:%d", s.Section, s.Key, s.Value, s.Source, file, s.Line))
	}
	for _, want := range []string{
		"sandbox.unit=b.service: config /web.sandbox:5", "sandbox.unit=a.service: config /web.sandbox:6",
		"sandbox.autostart=no: config /web.sandbox:7", "sandbox.copy=yes: config /web.sandbox:8",
		"sandbox.machine-id=" + s.MachineID + ": allocated /states/web/state:4", "sandbox.restart=no: default :0",
		"sandbox.content=/var/lib/libvirt/filesystems/web: default :0",
		"security.level=s0:c1,c2: allocated /states/web/state:7", "limits.pids=none: config /web.sandbox:16",
		"network.interface=dhcp,source=default,mac=52:54:00:00:00:01: config and allocated /web.sandbox:10",
		"private.path=admin /srv/x: config /web.sandbox:12", "private.path=package:b /etc/b: allocated /states/web/state:13",
		"hardening.capabilities=auto: default :0", "hardening.hide-kernel=yes: default :0",
		"service.RestartSec=1: config /web.sandbox:14",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("lacks %s in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if _, err := Settings(store, "absent"); err == nil {
		t.Error("of none there are some")
	}
}

// What a drop-in says is told with its file and line, and what it takes back is not said by anybody.
func TestSettingsOfDropIns(t *testing.T) {
	dir := t.TempDir()
	store := config.Store{Dir: dir, States: statefile.Dir(filepath.Join(dir, "states"))}
	for file, text := range map[string]string{
		"web@.sandbox":           "[sandbox]\nformat=2\nunit=%i.service\n[limits]\npids=7\nmemory=1G\n[mounts]\nram=/a=1M\n",
		"sandbox.d/a.conf":       "[mounts]\nram=/b=1M\n\n[limits]\nmemory=2G\n[environment]\nA=%n\n",
		"web@a.sandbox.d/b.conf": "[limits]\npids=\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("web@.sandbox", store.Path("web@a")); err != nil {
		t.Fatal(err)
	}
	settings, err := Settings(store, "web@a")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range settings {
		got[s.Key+"="+s.Value] = strings.TrimPrefix(fmt.Sprintf("%s %s:%d", s.Source, s.File, s.Line), " ")
	}
	for setting, want := range map[string]string{
		"unit=a.service": "config " + dir + "/web@.sandbox:3", "ram=/a=1M": "config " + dir + "/web@.sandbox:8",
		"ram=/b=1M": "drop-in " + dir + "/sandbox.d/a.conf:2", "memory=2G": "drop-in " + dir + "/sandbox.d/a.conf:5",
		"A=web@a": "drop-in " + dir + "/sandbox.d/a.conf:7", "pids=4096": "default :0",
	} {
		if got[setting] != want {
			t.Errorf("%s: %q, want %q", setting, got[setting], want)
		}
	}
}

// What a sandbox would be is told as Settings tells it once it is made, but for what is allocated then.
func TestPlanned(t *testing.T) {
	dir := t.TempDir()
	store := config.Store{Dir: dir, States: statefile.Dir(filepath.Join(dir, "states"))}
	for file, text := range map[string]string{
		"web@.sandbox":       "[sandbox]\nformat=2\nunit=%i.service\n[security]\nlevel=s0:c1,c2\n",
		"sandbox.d/all.conf": "[limits]\nmemory=2G\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plain := config.New("web")
	plain.Units, plain.Interfaces = []string{"web.service"}, []config.Interface{{Source: "lab", DHCP: true}}
	plain.Limits.Memory = 2 << 30 // as the drop-in says
	instance, err := store.Instance("web@a")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*config.Sandbox{plain, instance} {
		s.Private = []config.PrivatePath{{Path: "/etc/b", Origin: "package:b"}, {Path: "/srv/x", Origin: config.OriginAdmin}}
	}
	instance.Private = instance.Private[:1]
	for s, want := range map[*config.Sandbox][]string{
		plain: {
			"sandbox.unit=web.service: config /web.sandbox:", "network.interface=dhcp,source=lab: config /web.sandbox:",
			"private.path=admin /srv/x: config /web.sandbox:", "security.level=: allocated :0",
		},
		instance: {"sandbox.unit=a.service: config /web@.sandbox:3", "security.level=s0:c1,c2: config /web@.sandbox:5"},
	} {
		want = append(want, "limits.memory=2G: drop-in /sandbox.d/all.conf:2", "private.path=package:b /etc/b: allocated :0",
			"sandbox.uuid=: allocated :0", "sandbox.machine-id=: allocated :0", "sandbox.created=: allocated :0",
			"hardening.capabilities=auto: default :0")
		planned, err := Planned(store, s)
		if err != nil {
			t.Fatal(err)
		}
		text := told(planned, dir)
		for _, line := range want {
			if !strings.Contains(text, "\n"+line) {
				t.Errorf("%s lacks %s in%s", s.Name, line, text)
			}
		}
	}
	before, err := Planned(store, plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SaveLike(plain, "", config.Given{}); err != nil {
		t.Fatal(err)
	}
	after, err := Settings(store, "web")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range before {
		if s.Source != SourceAllocated && !slices.Contains(after, s) {
			t.Errorf("%+v was planned, and there is%s", s, told(after, dir))
		}
	}
}

// told has a line for each setting.
func told(settings []Setting, dir string) string {
	text := "\n"
	for _, s := range settings {
		text += fmt.Sprintf("%s.%s=%s: %s %s:%d\n", s.Section, s.Key, s.Value, s.Source, strings.TrimPrefix(s.File, dir),
			s.Line)
	}
	return text
}
