// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// WarnOf warns of what will keep a container from what it is for, and that no error tells.
func (h *Host) WarnOf(s *config.Sandbox) {
	h.warnOfLabels(s)
	h.warnOfInotify(s)
}

// warnOfLabels warns of content that the container will not be able to use.
func (h *Host) warnOfLabels(s *config.Sandbox) {
	finding, err := contentcheck.TopLabels(h.Content, s)
	if err != nil {
		h.Warn("%v", err)
	}
	if finding != nil {
		h.Warn(
			"%v; virt-sandbox-service check %s lists all such files, and with --fix gives them their label",
			finding,
			s.Name,
		)
	}
	sources, err := contentcheck.Sources(h.Content, s)
	if err != nil {
		h.Warn("%v", err)
	}
	for _, f := range sources {
		wanted, err := secontext.Parse(f.Wanted)
		if err != nil {
			h.Warn("%v: %s cannot write there", f, s.Name)
			continue
		}
		h.Warn("%v: %s cannot write there; chcon -R -t %s -l %s gives it the label", f, s.Name, wanted.Type, wanted.Level)
	}
}

// inotifyEach is about how many of them the systemd, journal and bus of a container take.
const inotifyEach = 3

// warnOfInotify says that there are too few inotify instances for one more container: its systemd then ends with "Too
// many open files", which nobody would guess means this.
func (h *Host) warnOfInotify(s *config.Sandbox) {
	limit, err := proc.Dir(string(h.Places) + string(proc.Host)).InotifyInstances()
	if err != nil || s.Generic() {
		return
	}
	if up := h.Places.Running(); up*inotifyEach > limit {
		h.Warn("%d containers are up, each with about %d inotify instances, of which the host allows %d: %s may not come "+
			"up; "+
			"run sysctl -w fs.inotify.max_user_instances=2147483647 (make install has that done at boot)",
			up, inotifyEach, limit, s.Name)
	}
}
