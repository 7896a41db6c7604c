// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// tellDirectory tells of a working directory that the container has not: systemd starts nothing in one that is not
// there.
func (f *fitter) tellDirectory(a *adaptation, u *unitfile.Unit) {
	words := u.Words("WorkingDirectory")
	if len(words) == 0 {
		return
	}
	dir := words[len(words)-1]
	if !path.IsAbs(dir) || f.has(path.Clean(dir)) {
		return
	}
	a.note("WorkingDirectory=%s of the host is not in the container; a mount host-bind:%s=%s shows it", dir, dir, dir)
}

// has reports whether a directory is of the container's own, which systemd or the package makes, or is shown to it.
func (f *fitter) has(dir string) bool {
	roots := []string{"/usr", "/etc", "/var", "/srv", "/run", "/tmp", "/opt", "/dev", "/proc", "/sys", "/root"}
	for _, m := range f.sandbox.Mounts {
		roots = append(roots, m.Target)
	}
	for _, private := range f.sandbox.Private {
		roots = append(roots, private.Path)
	}
	return dir == "/" || slices.ContainsFunc(roots, func(root string) bool {
		return pathname.IsWithin(dir, root)
	})
}

// tellCredentials tells of credentials that need a key of the container's own, since it has not the host's.
func tellCredentials(a *adaptation, u *unitfile.Unit) {
	if words := u.Words("LoadCredentialEncrypted"); len(words) > 0 {
		a.note("LoadCredentialEncrypted=%s does not work with what was encrypted on the host; encrypt it inside, by "+
			"systemd-creds(1)", strings.Join(words, " "))
	}
}

// limits are directives by which systemd bounds a unit with a cgroup (systemd.resource-control(5)). The systemd of a
// container may make no cgroups with limits: it would need the controllers, and those are the host's.
func limits() []string {
	return []string{
		"AllowedCPUs", "AllowedMemoryNodes", "BlockIOWeight", "CPUQuota", "CPUShares", "CPUWeight", "DeviceAllow",
		"DevicePolicy", "IOReadBandwidthMax", "IOReadIOPSMax", "IOWeight", "IOWriteBandwidthMax", "IOWriteIOPSMax",
		"IPAddressAllow", "IPAddressDeny", "MemoryHigh", "MemoryLimit", "MemoryLow", "MemoryMax", "MemoryMin",
		"MemorySwapMax", "RestrictNetworkInterfaces", "SocketBindAllow", "SocketBindDeny", "TasksMax",
	}
}

func tellLimits(a *adaptation, u *unitfile.Unit) {
	var asked []string
	for _, directive := range limits() {
		words := u.Words(directive)
		// A part of what the machine has is to keep it usable, and the container has limits of its own for that.
		isBound := func(word string) bool {
			return word != "infinity" && (directive == "CPUQuota" || !strings.HasSuffix(word, "%"))
		}
		if slices.ContainsFunc(words, isBound) {
			asked = append(asked, directive+"=")
		}
	}
	if len(asked) > 0 {
		a.note("%s does not count for a unit in a container; [limits] of its config bounds all of it",
			strings.Join(asked, " "))
	}
}

// filtering are directives that systemd cannot give to a service without CAP_SYS_ADMIN but with NoNewPrivileges=, for
// its filters of system calls (systemd.exec(5), NoNewPrivileges=).
func filtering() []string {
	return []string{
		"LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices", "ProtectClock", "ProtectHostname", "ProtectKernelLogs",
		"ProtectKernelModules", "ProtectKernelTunables", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime",
		"RestrictSUIDSGID", "SystemCallArchitectures", "SystemCallFilter", "SystemCallLog",
	}
}

// tellPrivileges tells of a service whose programs gain nothing inside by set-user-ID or set-group-ID, and do on the
// host: not root's, who needs none of it, and not one that wants it so.
func (f *fitter) tellPrivileges(a *adaptation, u *unitfile.Unit) {
	user := u.Words("User")
	if len(user) == 0 || user[len(user)-1] == "root" || user[len(user)-1] == "0" || u.Bool("NoNewPrivileges") ||
		u.Bool("DynamicUser") || f.granted["CAP_SYS_ADMIN"] {
		return
	}
	var asked []string
	for _, directive := range filtering() {
		words := u.Words(directive)
		if len(words) > 0 && !slices.Contains([]string{"0", "no", "false", "off"}, strings.ToLower(words[len(words)-1])) {
			asked = append(asked, directive+"=")
		}
	}
	if len(asked) > 0 {
		a.note("with %s in a container its programs gain no rights by set-user-ID or set-group-ID",
			strings.Join(asked, " "))
	}
}
