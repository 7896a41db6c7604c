// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// machines returns what machinectl lists of a sandbox, as NAME CLASS SERVICE.
func machines(t *testing.T, name string) (list []string) {
	t.Helper()
	for line := range strings.Lines(shell(t, "machinectl list --no-legend --no-pager")) {
		words := strings.Fields(line)
		if len(words) >= 3 && (words[0] == name || strings.HasSuffix(words[0], "-"+name)) {
			list = append(list, strings.Join(words[:3], " "))
		}
	}
	return list
}

// The host's tools find a container by its sandbox's name, the same at each start, whatever its ids are; libvirtd and
// systemd-machined may start anew meanwhile, and machinectl brings it down in order.
func TestMachineName(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-name", "-C", "-u", "apache2")
	const unit = "apache2@t-name"
	systemctl(t, "start", unit)
	inside(t, "t-name", "logger -t web written inside; journalctl --sync")
	for command, want := range map[string]string{
		"systemctl -M t-name is-active apache2":                  "active\n",
		"systemctl -M t-name show -p MainPID --value dbus":       inside(t, "t-name", "pidof dbus-daemon"),
		"journalctl -M t-name -t web -o cat":                     "written inside\n",
		"machinectl show t-name -p Unit -p Class --value | sort": "apache2@t-name.service\ncontainer\n",
		"machinectl status t-name --no-pager | grep -c Leader:":  "1\n",
	} {
		if got := shell(t, "timeout 60 "+command); !strings.Contains(strings.ReplaceAll(got, "\r", ""), want) {
			t.Errorf("%s prints %q, want %q", command, got, want)
		}
	}
	var d struct{ Machine string }
	if err := json.Unmarshal([]byte(must(t, "status", "--json", "t-name")), &d); err != nil || d.Machine != "t-name" {
		t.Errorf("status has machine %q, %v", d.Machine, err)
	}
	listed := machines(t, "t-name")
	if len(listed) != 2 || !strings.HasSuffix(listed[0], "-t-name vm libvirt-lxc") ||
		listed[1] != "t-name container virt-sandbox" {
		t.Errorf("machinectl lists %q", listed)
	}
	for _, service := range []string{"libvirtd", "systemd-machined", "libvirtd"} {
		systemctl(t, "restart", service)
		wait(t, "the container after a restart of "+service, func() bool {
			return strings.Contains(shell(t, "virsh -q -c lxc:/// list --name || true"), "t-name")
		})
		if got := shell(t, "systemctl -M t-name is-active apache2"); got != "active\n" {
			t.Errorf("after a restart of %s: %s", service, got)
		}
	}
	for _, verb := range []string{"poweroff", "terminate"} {
		shell(t, "machinectl "+verb+" t-name")
		wait(t, "machinectl "+verb, func() bool {
			return strings.TrimSpace(shell(t, "systemctl is-active "+unit+" || true")) == "inactive"
		})
		if listed := machines(t, "t-name"); len(listed) > 0 {
			t.Errorf("after %s, machinectl lists %q", verb, listed)
		}
		systemctl(t, "start", unit)
		if listed := machines(t, "t-name"); len(listed) != 2 {
			t.Errorf("after another start, machinectl lists %q", listed)
		}
	}
	systemctl(t, "stop", unit)
	if got := shell(t, "ls /run/systemd/machines"); strings.Contains(got, "t-name") {
		t.Errorf("after the stop, machined has %q", got)
	}
	must(t, "delete", "t-name")
	sameAs(t, before, "after the delete")
}

// Somebody else's machine of the name stays, and the container starts all the same, with the name that libvirt gave it.
func TestMachineNameTaken(t *testing.T) {
	rig.On(t, rig.VM)
	rig.Needs(t, rig.Systemd)
	holder := exec.Command("sleep", "1000")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	const call = "busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager "
	t.Cleanup(func() {
		_ = exec.Command("sh", "-c", call+"UnregisterMachine s t-taken").Run()
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	shell(t, call+"RegisterMachine sayssus t-taken 0 rig container "+fmt.Sprint(holder.Process.Pid)+` ""`)
	create(t, "t-taken", "-C", "-u", "apache2")
	systemctl(t, "start", "apache2@t-taken")
	if got := machines(t, "t-taken"); len(got) != 2 || !strings.HasSuffix(got[0], "-t-taken container libvirt-lxc") ||
		got[1] != "t-taken container rig" {
		t.Errorf("machinectl lists %q", got)
	}
	const want = "systemd-machined has another machine of that name: t-taken, of rig"
	if got := shell(t, "journalctl -u apache2@t-taken --no-pager"); strings.Count(got, want) != 1 {
		t.Errorf("its journal does not say once why:\n%s", got)
	}
	if got := must(t, "status", "t-taken"); !strings.Contains(got, "-t-taken") {
		t.Errorf("status does not have libvirt's name:\n%s", got)
	}
	systemctl(t, "stop", "apache2@t-taken")
	if got := machines(t, "t-taken"); len(got) != 1 || got[0] != "t-taken container rig" {
		t.Errorf("after the stop, machinectl lists %q", got)
	}
}
