// SPDX-License-Identifier: Apache-2.0

package innerboot

import "github.com/virt-sandbox/virt-sandbox/internal/guest"

// maskedUnits are units of the host's systemd that a container has no use for: consoles nobody reads, run levels and
// what belongs to the machine. virt-sandbox-service(1) has a table of those that are left.
func maskedUnits() []string {
	return []string{
		"console-getty.service", "getty.target", "getty@.service", "serial-getty@.service", "container-getty@.service",
		"systemd-ask-password-console.path", "systemd-ask-password-wall.path", "systemd-firstboot.service",
		"systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service",
		"systemd-resolved.service", "systemd-timesyncd.service", "systemd-homed.service", "systemd-userdbd.socket",
		"dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount",
		"sys-kernel-tracing.mount",
		"proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount", "sys-fs-fuse-connections.mount",
		"systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket",
		"systemd-udev-trigger.service",
		"systemd-modules-load.service", "systemd-sysctl.service", "systemd-binfmt.service", "systemd-remount-fs.service",
		"systemd-machine-id-commit.service",
		"systemd-initctl.socket", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
	}
}

// hostKeysUnit makes SSH host keys, which are never copied from the host, on the first start that finds none. Fedora's
// package has units for that too; they come later, and find that there are keys.
const hostKeysUnit = `[Unit]
Description=SSH host keys of this container
Before=ssh.service sshd.service
Before=sshd-keygen@rsa.service sshd-keygen@ecdsa.service sshd-keygen@ed25519.service
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A
`

const hostKeysDropIn = `[Unit]
Wants=virt-sandbox-host-keys.service
After=virt-sandbox-host-keys.service
`

// bootTarget takes the place of the host's, which would pull in what the host's /usr enables for it.
const bootTarget = `[Unit]
Description=Sandboxed units
Requires=basic.target
After=basic.target
AllowIsolate=yes
Wants=systemd-user-sessions.service dbus.service
`

// notification is a target of a shutdown, the word that tells of it, and what that comes before. A reboot is a shutdown
// too: it is told of first, since the host's side takes a container that only shuts down for one that stays down.
type notification struct{ target, word, before string }

func notifications() []notification {
	return []notification{
		{"shutdown.target", guest.TellStopping, "final.target"},
		{"reboot.target", guest.TellRebooting, notifyUnitName(guest.TellStopping) + " final.target"},
	}
}

func notifyUnitName(word string) string { return "virt-sandbox-" + word + ".service" }

// notifyUnit tells the host's side of an orderly shutdown; %[1]s is the word for it, %[2]s what it comes before.
const notifyUnit = `[Unit]
Description=Tell the host of the shutdown
DefaultDependencies=no
Before=%[2]s

[Service]
Type=oneshot
ExecStart=-/run/host/virt-sandbox-init %[1]s
`

// mountDropIn is for every mount unit: systemd would run an umount for each cover of the host's files when it shuts
// down, and all would fail, for want of CAP_SYS_ADMIN.
const mountDropIn = "[Unit]\nDefaultDependencies=no\n"

// keptMounts are mounts that units name before systemd has seen that they are there: it reads no drop-in for them then.
func keptMounts() []string { return []string{"home", "root", "srv", "tmp", "var"} }

// mountUnit is one of these, which is mounted already; %[1]s is its directory below the root.
const mountUnit = `[Unit]
Description=/%[1]s of this container
DefaultDependencies=no

[Mount]
What=virt-sandbox
Where=/%[1]s
`

// noNamespaces is for every service: systemd would not start one whose user namespace it cannot make, where it goes
// without other protections that it cannot have.
const noNamespaces = "[Service]\nPrivateUsers=no\n"
