package helper

import (
	"os"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// inotifyLimit has how many inotify instances (inotify(7)) all processes of root may have together, those of containers too
// that have no ids of their own.
const inotifyLimit = "/proc/sys/fs/inotify/max_user_instances"

// inotifyEach is about how many of them the systemd, journal and bus of a container take.
const inotifyEach = 3

// warnOfInotify says that there are too few inotify instances for one more container: its systemd then ends with "Too many
// open files", which nobody would guess means this.
func (m *Manager) warnOfInotify(s *config.Sandbox) {
	text, err := os.ReadFile(inotifyLimit)
	if err != nil || s.Generic() {
		return
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	if up := places.Root(m.Host.Root).Running(); up*inotifyEach > limit {
		m.Warn("%d containers are up, each with about %d inotify instances, of which the host allows %d: %s may not come up; "+
			"run sysctl -w fs.inotify.max_user_instances=8192 (make install has that done at boot)", up, inotifyEach, limit, s.Name)
	}
}
