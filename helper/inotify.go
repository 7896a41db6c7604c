package helper

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// inotifyEach is about how many of them the systemd, journal and bus of a container take.
const inotifyEach = 3

// warnOfInotify says that there are too few inotify instances for one more container: its systemd then ends with "Too many
// open files", which nobody would guess means this.
func (m *Manager) warnOfInotify(s *config.Sandbox) {
	limit, err := proc.Host.InotifyInstances()
	if err != nil || s.Generic() {
		return
	}
	if up := places.Root(m.Host.Root).Running(); up*inotifyEach > limit {
		m.Warn("%d containers are up, each with about %d inotify instances, of which the host allows %d: %s may not come up; "+
			"run sysctl -w fs.inotify.max_user_instances=8192 (make install has that done at boot)", up, inotifyEach, limit, s.Name)
	}
}
