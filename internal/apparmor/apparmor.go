// SPDX-License-Identifier: Apache-2.0

// Package apparmor knows the host's AppArmor profiles: those that libvirt makes for containers, what our abstraction
// adds to them, and the one that a config names. In: a config's choice, a process, a domain's UUID. Out: a profile's
// name, or what the administrator has to do. What plans a start, shows a status or deletes calls it.
package apparmor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Places of profiles below the root: those that libvirt makes, what containers with systemd need in them, and what the
// kernel has loaded.
const (
	libvirtProfiles = "/etc/apparmor.d/libvirt"
	abstraction     = "/etc/apparmor.d/abstractions/virt-sandbox"
	localInclude    = "/etc/apparmor.d/local/abstractions/libvirt-lxc"
	loadedProfiles  = "/sys/kernel/security/apparmor/profiles"
)

// Root is the directory below which the host's files lie; "" is /.
type Root string

// PayloadProfile returns the profile that init has to set; "" where libvirt makes one, or none is wanted. It fails
// early for what would only fail inside.
func (r Root) PayloadProfile(s *config.Sandbox) (string, error) {
	switch {
	case s.Security.AppArmor == config.AppArmorUnconfined || s.Security.Mode == config.SecurityInherit:
		return "", nil
	case s.Security.AppArmor == "":
		return "", r.checkAbstraction()
	}
	loaded, err := os.ReadFile(string(r) + loadedProfiles)
	if err == nil && !bytes.Contains(append([]byte("\n"), loaded...), []byte("\n"+s.Security.AppArmor+" (")) {
		return "", fmt.Errorf("the AppArmor profile %s of [security] apparmor is not loaded; "+
			"run apparmor_parser -r with its file", s.Security.AppArmor)
	}
	return s.Security.AppArmor, nil
}

// checkAbstraction fails where no container could boot under the profile that libvirt makes.
func (r Root) checkAbstraction() error {
	include, err := os.ReadFile(string(r) + localInclude)
	_, missing := os.Stat(string(r) + abstraction)
	if missing == nil && err == nil && strings.Contains(string(include), filepath.Base(abstraction)) {
		return nil
	}
	return fmt.Errorf("the host has AppArmor, and libvirt's profile for containers lets no systemd boot: "+
		"%s is missing or %s does not include it; run make install-apparmor, or choose a profile with apparmor= in the "+
		"config",
		abstraction, localInclude)
}

// ProfileOf returns the profile of a process; "" where it has none.
func (r Root) ProfileOf(pid int) string {
	profile, err := proc.Dir(string(r)+"/proc").Attribute(pid, "apparmor/current")
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(profile, " (")
	if name == config.AppArmorUnconfined {
		return ""
	}
	return name
}

// Remove removes libvirt's profile of a domain that will not come back, where libvirt has left it.
func (r Root) Remove(uuid string) error {
	if uuid == "" {
		return nil
	}
	for _, suffix := range []string{"", ".files"} {
		err := os.Remove(filepath.Join(string(r)+libvirtProfiles, "libvirt-"+uuid+suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove libvirt's AppArmor profile: %w", err)
		}
	}
	return nil
}
