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
