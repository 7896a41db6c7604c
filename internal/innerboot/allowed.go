// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"os"
	"path"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// GeneratorReadme says what guest.GeneratorDir is for. It lies there when everything else does.
const GeneratorReadme = `What lies here and can be executed makes units whenever the systemd of this container reads its
units (systemd.generator(7)). The host's generators do not run here but for those of the packages of this container's
units.
`

// allowedUnits are those that the host's /usr adds to the boot of every container. virt-sandbox-service(1) has a table
// of them. Users are none of what systemd-sysusers makes: the container is given those of the host (content).
func allowedUnits() []string {
	return []string{
		"dbus.service", "dbus.socket", "dbus-broker.service", "systemd-journald.service", "systemd-journald.socket",
		"systemd-journald-dev-log.socket", "systemd-journal-flush.service",
		"systemd-tmpfiles-setup.service", "systemd-tmpfiles-setup-dev.service", "systemd-tmpfiles-setup-dev-early.service",
		"systemd-tmpfiles-clean.timer", "systemd-user-sessions.service",
	}
}

// shownDirs are where a container sees units of the host's.
func shownDirs() []string {
	return []string{"/usr/lib/systemd/system", "/lib/systemd/system", "/usr/local/lib/systemd/system"}
}

// maskUnchosen masks what packages of the host add to the base of every boot, by links in directories of targets and
// of base units, but for what is allowed and for the container's own units.
func (p *plan) maskUnchosen(root unitfile.Root, set unitfile.Set) {
	allowed := allowedUnits()
	for _, u := range set.All() {
		allowed = append(append(allowed, u.Name), u.Aliases...)
	}
	targets := unitfile.BaseTargets()
	if p.sandbox.BootTarget == config.DefaultBootTarget {
		targets = append(targets, config.DefaultBootTarget)
	}
	for _, unit := range append(targets, allowedUnits()...) {
		for _, suffix := range []string{".wants", ".requires", ".upholds"} {
			for _, name := range namesIn(root, unit+suffix) {
				if !slices.Contains(allowed, name) {
					p.link(unit+suffix+"/"+name, "/dev/null")
				}
			}
		}
	}
	for _, target := range targets {
		for _, name := range namesIn(root, target+".d") {
			p.link(target+".d/"+name, "/dev/null")
		}
	}
}

// namesIn lists a directory of unit files in all places that a container sees.
func namesIn(root unitfile.Root, dir string) []string {
	var names []string
	for _, at := range shownDirs() {
		entries, _ := os.ReadDir(path.Join(string(root)+at, dir))
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
