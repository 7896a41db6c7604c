// SPDX-License-Identifier: Apache-2.0

package claims

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
)

func TestNBDUnit(t *testing.T) {
	names := make(map[string]string)
	for _, file := range []string{"/a/disk.qcow2", "/b/disk.qcow2", "/a/disk qcow2", "/a/" + strings.Repeat("x", 250),
		"/a/" + strings.Repeat("x", 251)} {
		unit := nbdUnit("web", file)
		if other, found := names[unit]; found {
			t.Errorf("%s and %s are both %s", file, other, unit)
		}
		names[unit] = file
		if !regexp.MustCompile(`^virt-sandbox-nbd-web-[A-Za-z0-9._]+-[0-9a-f]{16}\.service$`).MatchString(unit) ||
			len(unit) > 255 {
			t.Errorf("%s: %s", file, unit)
		}
	}
}

// fakeSystemd notes the services that it is asked for.
type fakeSystemd struct {
	booted bool
	asked  []hostsystemd.Service
}

func (s *fakeSystemd) Booted() bool { return s.booted }

func (s *fakeSystemd) RunForking(_ context.Context, service hostsystemd.Service) error {
	s.asked = append(s.asked, service)
	return nil
}

func TestRunner(t *testing.T) {
	web := config.New("web")
	web.Units = []string{"httpd.service"}
	systemd := &fakeSystemd{booted: true}
	if err := Runner(t.Context(), systemd, web)([]string{"qemu-nbd", "/a/disk.qcow2"}); err != nil ||
		len(systemd.asked) != 1 {
		t.Fatalf("got %v; asked for %+v", err, systemd.asked)
	}
	got := systemd.asked[0]
	if got.Unit != nbdUnit("web", "/a/disk.qcow2") || got.Before != web.HostUnit() ||
		!slices.Equal(got.Args, []string{"qemu-nbd", "/a/disk.qcow2"}) ||
		got.Description != "Block device of /a/disk.qcow2 for virt-sandbox container web" {
		t.Errorf("asked for %+v", got)
	}
	// Without systemd it runs the program itself.
	run := Runner(t.Context(), &fakeSystemd{}, web)
	if err := run([]string{"true"}); err != nil {
		t.Error(err)
	}
	err := run([]string{"sh", "-c", "echo some words >&2; exit 3"})
	if err == nil || err.Error() != "sh: exit status 3: some words" {
		t.Errorf("got %v", err)
	}
}
