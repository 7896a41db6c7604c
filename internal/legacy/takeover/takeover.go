// SPDX-License-Identifier: Apache-2.0

// Package takeover turns what the original libvirt-sandbox left of a sandbox on this host into ours, beside the config
// itself: its unit file, its domain, its content, and backups of its files. In: where configs and units lie, the name,
// and what libvirt says of a domain; out: changed files, each kept under a second name, and verdicts. It calls neither
// libvirt nor systemd. The upgrade of package helper calls it, under the lock of the name. Each step can be killed at
// any point and run again.
package takeover

import (
	"fmt"
	"os"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
)

// Remains are the places where a host may have legacy files of a sandbox.
type Remains struct {
	Name    string
	Configs legacy.Configs
	Stubs   unitstub.Files
}

// CheckContent refuses a sandbox whose content is not there; one that runs a command need not have any.
func CheckContent(s *config.Sandbox) error {
	var err error
	switch {
	case s.Image != "":
		var info os.FileInfo
		if info, err = os.Stat(s.Image); err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("image %s is not a regular file", s.Image)
		}
	case !s.Generic():
		_, err = os.Stat(s.Content)
	}
	if err != nil {
		return fmt.Errorf("look at the content of %s: %w", s.Name, err)
	}
	return nil
}
