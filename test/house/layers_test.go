// SPDX-License-Identifier: Apache-2.0

package house

import (
	"slices"
	"strings"
	"testing"
)

// layer is a floor of the house. A room may import rooms of the floors below its own.
type layer struct {
	subject string
	rooms   []string
}

// layers are the floors, from the ground up. docs/architecture.md shows the same table.
var layers = []layer{
	{"words and kernel", []string{
		"internal/account",
		"internal/ascii",
		"internal/bytesize",
		"internal/capability",
		"internal/console",
		"internal/ctxio",
		"internal/field",
		"internal/foreach",
		"internal/health",
		"internal/idmap",
		"internal/manpage",
		"internal/mountpoint",
		"internal/nameset",
		"internal/netaddr",
		"internal/openat",
		"internal/outputspool",
		"internal/pathname",
		"internal/pkgdb",
		"internal/printable",
		"internal/proc",
		"internal/programs",
		"internal/report",
		"internal/scalar",
		"internal/seclabel",
		"internal/selfsigned",
		"internal/specifier",
		"internal/suggest",
		"internal/textfile",
		"internal/textmerge",
		"internal/stdin",
		"internal/throttle",
		"internal/version",
		"internal/window",
	}},
	{"one subject of the host", []string{
		"internal/cgroup",
		"internal/consoletext",
		"internal/debdeps",
		"internal/directive",
		"internal/dropin",
		"internal/filetree",
		"internal/hostsystemd",
		"internal/hosttest",
		"internal/lxcfs",
		"internal/machine",
		"internal/memoryfs",
		"internal/namespace",
		"internal/nic",
		"internal/notify",
		"internal/secontext",
		"internal/statefile",
		"internal/syscallfilter",
		"internal/unitname",
		"internal/usernamespace",
		"rpmdeps",
	}},
	{"levels, layers, names, journals", []string{
		"internal/configtree",
		"internal/journalrelay",
		"internal/mcs",
		"internal/overlay",
		"internal/wellformed",
	}},
	{"the description, the monitor", []string{
		"config",
		"internal/lockfile",
		"internal/monitor",
		"internal/network",
	}},
	{"what runs inside", []string{
		"internal/guest",
	}},
	{"one subject of a sandbox", []string{
		"internal/alloc",
		"internal/apparmor",
		"internal/domain",
		"internal/enter",
		"internal/healthcheck",
		"internal/image",
		"internal/initrd",
		"internal/legacy",
		"internal/unitfailed",
		"internal/virtualmachine",
		"units",
	}},
	{"units", []string{
		"internal/unitfile",
	}},
	{"what is private", []string{
		"internal/hostetc",
		"internal/innerboot",
		"internal/privatepaths",
		"internal/roottree",
	}},
	{"what lies at a path", []string{
		"internal/filestate",
	}},
	{"a sandbox on this host", []string{
		"generator",
		"internal/boot",
		"internal/content",
		"internal/places",
	}},
	{"verbs' own matters", []string{
		"internal/claims",
		"internal/contentarchive",
		"internal/contentcheck",
		"internal/contentjournal",
		"internal/contentupgrade",
		"internal/describe",
		"internal/hostnet",
		"internal/innersystemd",
		"internal/overview",
		"internal/unitstub",
		"internal/virt",
	}},
	{"starts", []string{
		"internal/freezing",
		"internal/staleness",
		"internal/launch",
		"internal/startup",
		"internal/unitend",
	}},
	{"what verbs stand on", []string{
		"internal/editing",
		"internal/legacy/takeover",
		"internal/logview",
		"internal/oneshot",
		"internal/onlooker",
		"internal/sandboximage",
	}},
	{"coming and going", []string{
		"internal/provision",
	}},
	{"verbs", []string{
		"internal/checkup",
		"internal/limiting",
		"internal/upgrading",
	}},
	{"containers that stay", []string{
		"helper",
	}},
	{"one-shots", []string{
		"sandbox",
	}},
	{"options of the command line", []string{
		"cmd/internal/flagname",
		"cmd/internal/optiontext",
		"cmd/internal/usage",
	}},
}

// Rooms import downward only, so that each can be understood without those above it.
func TestLayers(t *testing.T) {
	floor := make(map[string]int)
	for n, l := range layers {
		for _, name := range l.rooms {
			floor[name] = n
		}
	}
	list := rooms(t)
	seen := make(map[string]bool)
	for _, r := range list {
		seen[r.name()] = true
		own, found := floor[r.name()]
		if strings.HasPrefix(r.name(), "cmd/") {
			own, found = len(layers), true
		}
		if !found {
			t.Errorf("%s is on no floor; add it to the table", r.name())
			continue
		}
		for _, path := range r.Imports {
			name, isOurs := strings.CutPrefix(path, module)
			if below, found := floor[name]; isOurs && (!found || below >= own) {
				t.Errorf("%s imports %s, which is not below it", r.name(), name)
			}
		}
	}
	for name := range floor {
		if !seen[name] {
			t.Errorf("the table has %s, which is not there", name)
		}
	}
}

// What another program can use alone knows nothing of the helper, and what is below internal/ only of its own kind.
func TestNobodyNeedsHelper(t *testing.T) {
	alone := []string{
		"config", "generator", "internal/console", "internal/debdeps", "internal/domain", "internal/mcs", "internal/network",
		"rpmdeps", "units",
	}
	for _, r := range rooms(t) {
		if !slices.Contains(alone, r.name()) && !strings.HasPrefix(r.name(), "internal/") {
			continue
		}
		for _, path := range r.Imports {
			if name, isOurs := strings.CutPrefix(path, module); isOurs && slices.Contains([]string{"helper", "sandbox"}, name) {
				t.Errorf("%s imports %s", r.name(), name)
			}
		}
	}
}

// What a container says reaches the host's systemd through one room, which keeps it from being fields of its own.
func TestOneRoomNotifies(t *testing.T) {
	for _, r := range rooms(t) {
		if slices.Contains(r.Imports, "github.com/coreos/go-systemd/v22/daemon") && r.name() != "internal/notify" {
			t.Errorf("%s sends messages of sd_notify(3), which internal/notify makes harmless", r.name())
		}
	}
}
