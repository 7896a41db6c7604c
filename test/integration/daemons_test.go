// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// daemonsOfLibvirt names the daemons that run on the rig, that of the LXC driver first: libvirtd, or those of
// LIBVIRT=modular.
func daemonsOfLibvirt() []string {
	modular := []string{"virtlxcd", "virtnetworkd", "virtnwfilterd"}
	if exec.Command("systemctl", "is-active", "--quiet", modular[0]+".socket").Run() == nil || runs(modular[0]) {
		return modular
	}
	return []string{"libvirtd"}
}

// servicesOfLibvirt names the units of these daemons.
func servicesOfLibvirt() string { return strings.Join(daemonsOfLibvirt(), ".service ") + ".service" }

// socketsOfLibvirt names the sockets by which systemd starts the daemon of the LXC driver.
func socketsOfLibvirt() string {
	daemon := daemonsOfLibvirt()[0]
	return daemon + ".socket " + daemon + "-ro.socket " + daemon + "-admin.socket"
}

// numberOf returns the number of a daemon's process; "" while it does not run.
func numberOf(daemon string) string {
	text, err := os.ReadFile("/run/" + daemon + ".pid")
	pid, noNumber := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || noNumber != nil || syscall.Kill(pid, 0) != nil {
		return ""
	}
	return strconv.Itoa(pid)
}

func runs(daemon string) bool { return numberOf(daemon) != "" }

// restartLibvirtd kills libvirt's daemons by a command that their numbers are added to; the rig or systemd starts them
// anew.
func restartLibvirtd(t *testing.T, kill string) {
	t.Helper()
	old := make(map[string]string)
	for _, daemon := range daemonsOfLibvirt() {
		if number := numberOf(daemon); number != "" {
			old[daemon] = number
			kill += " " + number
		}
	}
	shell(t, kill)
	for daemon, number := range old {
		wait(t, "another "+daemon, func() bool { return runs(daemon) && numberOf(daemon) != number })
	}
	wait(t, "an answer of libvirt", func() bool {
		return exec.Command("virsh", "-q", "-c", "lxc:///", "version").Run() == nil
	})
}
