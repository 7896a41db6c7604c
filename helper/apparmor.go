package helper

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

// Places of AppArmor's profiles: those that libvirt makes, and what containers with systemd need in them.
const (
	libvirtProfiles      = "/etc/apparmor.d/libvirt"
	appArmorAbstraction  = "/etc/apparmor.d/abstractions/virt-sandbox"
	appArmorLocalInclude = "/etc/apparmor.d/local/abstractions/libvirt-lxc"
	loadedProfiles       = "/sys/kernel/security/apparmor/profiles"
)

// payloadProfile gives the profile that virt-sandbox-init has to set; "" where libvirt makes one, or none is wanted. It tells
// in time what would only fail inside.
func payloadProfile(s *config.Sandbox) (string, error) {
	switch {
	case s.Security.AppArmor == config.AppArmorUnconfined || s.Security.Mode == config.SecurityInherit:
		return "", nil
	case s.Security.AppArmor == "":
		return "", checkAbstraction()
	}
	loaded, err := os.ReadFile(loadedProfiles)
	if err == nil && !bytes.Contains(append([]byte("\n"), loaded...), []byte("\n"+s.Security.AppArmor+" (")) {
		return "", fmt.Errorf("the AppArmor profile %s of [security] apparmor is not loaded; run apparmor_parser -r with its file", s.Security.AppArmor)
	}
	return s.Security.AppArmor, nil
}

// checkAbstraction tells that a container could not even boot under the profile that libvirt makes.
func checkAbstraction() error {
	include, err := os.ReadFile(appArmorLocalInclude)
	if _, missing := os.Stat(appArmorAbstraction); missing == nil && err == nil && strings.Contains(string(include), filepath.Base(appArmorAbstraction)) {
		return nil
	}
	return fmt.Errorf("the host has AppArmor, and libvirt's profile for containers lets no systemd boot: %s is missing or %s does not include it; "+
		"run make install-apparmor, or choose a profile with apparmor= in the config", appArmorAbstraction, appArmorLocalInclude)
}

// profileOf gives the AppArmor profile of a process; "" where it has none.
func profileOf(pid int) string {
	profile, err := proc.Host.Attribute(pid, "apparmor/current")
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(profile, " (")
	if name == config.AppArmorUnconfined {
		return ""
	}
	return name
}

// removeProfile removes libvirt's profile of a domain that will not come back, where libvirt has left it.
func removeProfile(uuid string) error {
	if uuid == "" {
		return nil
	}
	for _, suffix := range []string{"", ".files"} {
		if err := os.Remove(filepath.Join(libvirtProfiles, "libvirt-"+uuid+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove libvirt's AppArmor profile: %w", err)
		}
	}
	return nil
}
