// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/textfile"
)

// maxResolver bounds resolv.conf(5), in bytes. Programs read three name servers of it.
const maxResolver = 64 << 10

// showResolver gives a container in the host's network the host's name servers. The host's /etc/resolv.conf may be a
// link to what a service makes below /run, where the container has a directory of its own. It is read at the start, as
// the C library of most programs reads it. What is no file there fails no start.
func (h *Host) showResolver(s *config.Sandbox, dir places.RunDir) error {
	if s.Network != config.NetworkHost {
		return nil
	}
	root := string(h.Places)
	target, err := filepath.EvalSymlinks(root + "/etc/resolv.conf")
	if err != nil || strings.HasPrefix(target, root+"/etc/") {
		return nil // The container finds it as the host does, or there is none.
	}
	text, err := textfile.Read(target, maxResolver)
	if err != nil {
		h.Warn("%s does not see the host's name servers: %v", s.Name, err)
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir.Path(), network.ResolvFile), []byte(text), 0o644); err != nil {
		return fmt.Errorf("show the host's name servers: %w", err)
	}
	return nil
}
