// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

func TestStartUnit(t *testing.T) {
	var warnings []string
	systemd := &fakeSystemd{}
	m := New(Options{
		Store: config.Store{Dir: t.TempDir(), States: statefile.Dir(t.TempDir())},
		Warn:  func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) },
	})
	m.systemd = systemd
	s := config.New("web")
	s.Units = []string{"web.service"}
	if err := m.Store.Save(s); err != nil {
		t.Fatal(err)
	}
	for _, systemd.active = range []bool{false, true} {
		if err := m.StartUnit(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
	}
	want := "start " + s.HostUnit() + " of " + m.Store.Path("web")
	if got := strings.Join(systemd.calls, "; "); got != want+"; "+want {
		t.Errorf("systemd was asked to %q", got)
	}
	if got := strings.Join(warnings, "; "); got != "web is already running" {
		t.Errorf("warnings %q", got)
	}
	if err := m.StartUnit(t.Context(), "absent"); err == nil {
		t.Error("a sandbox without a config was started")
	}
}

// TestStartUnitOfLowerConfig: the unit of a config that a package brings is known by where that lies.
func TestStartUnitOfLowerConfig(t *testing.T) {
	systemd := &fakeSystemd{}
	m := New(Options{
		Store: config.Store{Dir: t.TempDir(), Lower: [2]string{"", t.TempDir()}, States: statefile.Dir(t.TempDir())},
	})
	m.systemd = systemd
	file := m.Store.Lower[1] + "/web.sandbox"
	if err := os.WriteFile(file, []byte("[sandbox]\nformat=2\nunit=web.service\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.StartUnit(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(systemd.calls, "; "); got != "start web@web.service of "+file {
		t.Errorf("systemd was asked to %q", got)
	}
}
