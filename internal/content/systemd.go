// SPDX-License-Identifier: Apache-2.0

package content

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// SystemDir is where the tree has units and their drop-ins.
const SystemDir = "etc/systemd/system"

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

// unwantedUnits are those that the host's /usr adds to the boot target though they serve only who logs in: D-Bus starts
// them for the first one who does.
func unwantedUnits() []string { return []string{"systemd-logind.service"} }

// hostKeysUnit makes SSH host keys, which are never copied from the host, on the first start that finds none.
const hostKeysUnit = `[Unit]
Description=SSH host keys of this container
Before=ssh.service sshd.service
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

// notifyUnit tells the host's side of an orderly shutdown; %[1]s is the word for it.
const notifyUnit = `[Unit]
Description=Tell the host of the shutdown
DefaultDependencies=no
Before=final.target

[Service]
Type=oneshot
ExecStart=-/run/host/virt-sandbox-init %[1]s
`

// mountDropIn is for every mount unit: systemd would run an umount for each cover of the host's files when it shuts
// down, and all would fail, for want of CAP_SYS_ADMIN.
const mountDropIn = "[Unit]\nDefaultDependencies=no\n"

// serviceDropIn is for every service: systemd would not start one whose user namespace it cannot make, where it goes
// without other protections that it cannot have.
const serviceDropIn = "[Service]\nPrivateUsers=no\n"

// addNotifyUnits makes the units that tell of a shutdown, so that the host knows it from a breakdown. A reboot ends the
// container too, and its unit on the host starts it anew: libvirt would do that by itself, unseen by the host's
// systemd.
func (b *builder) addNotifyUnits() error {
	err := b.dropIn("systemd-reboot.service", "virt-sandbox.conf", "[Unit]\nSuccessAction=poweroff-force\n")
	if err != nil {
		return err
	}
	for target, word := range map[string]string{
		"shutdown.target": guest.TellStopping, "reboot.target": guest.TellRebooting,
	} {
		unit := "virt-sandbox-" + word + ".service"
		if err := b.file(SystemDir+"/"+unit, fmt.Sprintf(notifyUnit, word), 0o644); err != nil {
			return err
		}
		wants := SystemDir + "/" + target + ".wants"
		if err := b.dir(dirSpec{wants, 0o755, ""}); err != nil {
			return err
		}
		if err := b.link(wants+"/"+unit, "../"+unit); err != nil {
			return err
		}
	}
	return nil
}

// lackingCapabilities are those that libvirt takes from containers.
func lackingCapabilities() []string {
	return []string{"CAP_SYS_MODULE", "CAP_SYS_TIME", "CAP_MKNOD", "CAP_AUDIT_CONTROL", "CAP_MAC_ADMIN"}
}

// adaptingDropIn keeps a unit from needing what a container lacks, and makes it tell when it is up; "" for one that is
// right as it is.
func adaptingDropIn(u *unitfile.Unit) string {
	var unit, service string
	for _, word := range u.Words("ConditionVirtualization") {
		if strings.HasPrefix(word, "!") || word == "no" || word == "false" {
			unit = "# The service is meant to run in this container.\nConditionVirtualization=\n"
		}
	}
	var lacking []string
	for _, name := range u.Words("AmbientCapabilities") {
		if slices.Contains(lackingCapabilities(), strings.ToUpper(name)) {
			lacking = append(lacking, strings.ToUpper(name))
		}
	}
	if len(lacking) > 0 {
		service = "# No process of a container can have these.\nAmbientCapabilities=~" + strings.Join(lacking, " ") + "\n"
	}
	if u.IsSimple() {
		service += "# Started means executed: a start reports what cannot be executed.\nType=exec\n"
	}
	text := ""
	if unit != "" {
		text += "[Unit]\n" + unit
	}
	if service != "" {
		text += "[Service]\n" + service
	}
	return text
}

// systemd makes the container's own /etc/systemd/system: its units wanted by the boot target, with the administrator's
// changes to them, and nothing else that is enabled on the host.
func (b *builder) systemd() error {
	if b.sandbox.Generic() {
		return nil
	}
	for _, name := range maskedUnits() {
		if err := b.link(SystemDir+"/"+name, "/dev/null"); err != nil {
			return err
		}
	}
	if b.sandbox.BootTarget == config.DefaultBootTarget {
		// The host's own target would pull in what the host's /usr enables for it.
		text := "[Unit]\nDescription=Sandboxed units\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n" +
			"Wants=systemd-user-sessions.service dbus.service\n"
		if err := b.file(SystemDir+"/"+config.DefaultBootTarget, text, 0o644); err != nil {
			return err
		}
	}
	wants := SystemDir + "/" + b.sandbox.BootTarget + ".wants"
	if err := b.dir(dirSpec{wants, 0o755, ""}); err != nil {
		return err
	}
	for _, name := range unwantedUnits() {
		if slices.Contains(b.sandbox.Units, name) {
			continue
		}
		if err := b.link(wants+"/"+name, "/dev/null"); err != nil {
			return err
		}
	}
	if err := b.dropIn("mount", "virt-sandbox.conf", mountDropIn); err != nil {
		return err
	}
	if !b.sandbox.Hardening.UserNamespaces {
		if err := b.dropIn("service", "80-virt-sandbox-users.conf", serviceDropIn); err != nil {
			return err
		}
	}
	for _, name := range b.sandbox.Units {
		u, err := unitfile.Root(b.host.Root).Find(name, b.sandbox.Name)
		if err != nil {
			return err
		}
		if err := b.enable(u); err != nil {
			return err
		}
	}
	if err := b.addNotifyUnits(); err != nil {
		return err
	}
	return b.hostKeys()
}

func (b *builder) enable(u *unitfile.Unit) error {
	target := u.Files[0]
	if strings.HasPrefix(target, "/etc/") {
		if err := b.copySmall(target, path.Join(SystemDir, path.Base(target))); err != nil {
			return err
		}
	}
	wants := SystemDir + "/" + b.sandbox.BootTarget + ".wants"
	if err := b.dir(dirSpec{wants, 0o755, ""}); err != nil {
		return err
	}
	if err := b.link(wants+"/"+u.Name, target); err != nil {
		return err
	}
	for _, file := range u.DropIns {
		if !strings.HasPrefix(file, "/etc/") {
			continue
		}
		inTree := strings.TrimPrefix(file, "/")
		if err := b.dir(dirSpec{path.Dir(inTree), 0o755, ""}); err != nil {
			return err
		}
		if err := b.copySmall(file, inTree); err != nil {
			return err
		}
	}
	if text := adaptingDropIn(u); text != "" {
		return b.dropIn(u.Name, "90-virt-sandbox.conf", text)
	}
	return nil
}

func (b *builder) dropIn(unit, name, text string) error {
	dir := SystemDir + "/" + unit + ".d"
	if err := b.dir(dirSpec{dir, 0o755, ""}); err != nil {
		return err
	}
	return b.file(dir+"/"+name, text, 0o644)
}

// hostKeys gives sshd keys of the container's own where /etc/ssh is private.
func (b *builder) hostKeys() error {
	for _, p := range b.sandbox.Private {
		if p.Path != "/etc/ssh" {
			continue
		}
		if err := b.file(SystemDir+"/virt-sandbox-host-keys.service", hostKeysUnit, 0o644); err != nil {
			return err
		}
		for _, name := range b.sandbox.Units {
			if unit, err := unitname.Parse(name); err == nil && unit.Type() == unitname.Service {
				if err := b.dropIn(name, "10-virt-sandbox-host-keys.conf", hostKeysDropIn); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *builder) copySmall(hostPath, inTree string) error {
	if b.renewal != nil {
		// It is the administrator's, on both sides.
		return nil
	}
	data, err := os.ReadFile(b.host.Root + hostPath)
	if err != nil {
		return fmt.Errorf("copy %s: %w", hostPath, err)
	}
	return b.hostFile(inTree, string(data))
}
