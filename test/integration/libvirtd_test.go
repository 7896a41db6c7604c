// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Of a container that ends while libvirtd is down, the next libvirtd keeps a domain that it takes for one being
// started. The sandbox is then down for every verb.
func TestEndWithoutLibvirtd(t *testing.T) {
	rig.On(t, rig.Native)
	const name = "t-unseen"
	before := snapshot(t)
	create(t, name, "-C", "-u", "apache2")
	for _, verb := range []string{"start", "stop"} {
		must(t, "start", name)
		first := strings.TrimSpace(shell(t, "pgrep -P $(cat /run/libvirt/lxc/"+name+".pid)"))
		restartLibvirtd(t, "kill -9 "+first)
		if out := must(t, "list"); !strings.Contains(out, "stopped") {
			t.Errorf("after its end, list says:\n%s", out)
		}
		must(t, verb, name)
	}
	if out := shell(t, "virsh -q -c lxc:/// list --all --name"); strings.Contains(out, name) {
		t.Errorf("libvirt still has %s after stop", name)
	}
	must(t, "delete", name)
	sameAs(t, before, "after ends that libvirtd did not see")
}

// TestStopOverRestart: a libvirtd that is restarted in the middle of a stop does not keep it from its end.
func TestStopOverRestart(t *testing.T) {
	rig.On(t, rig.Native)
	const name = "t-over"
	before := snapshot(t)
	createCommand(t, name, nil, "/bin/sh", "-c", `trap 'echo asked; sleep 3; exit 0' TERM; while :; do sleep 0.1; done`)
	must(t, "start", name)
	stop := exec.Command(program, "stop", name)
	var said bytes.Buffer
	stop.Stdout, stop.Stderr = &said, &said
	if err := stop.Start(); err != nil {
		t.Fatal(err)
	}
	wait(t, "a stop that was begun", func() bool { return strings.Contains(must(t, "list"), "stopping") })
	restartLibvirtd(t, "kill -9")
	if err := stop.Wait(); err != nil {
		t.Errorf("stop: %v\n%s", err, &said)
	}
	if out := must(t, "list"); !strings.Contains(out, "stopped") {
		t.Errorf("after the stop, list says:\n%s", out)
	}
	must(t, "delete", name)
	sameAs(t, before, "after a stop over a restart of libvirtd")
}

// TestStartOverRestart: what a start that fails has begun is ended though libvirtd was restarted meanwhile.
func TestStartOverRestart(t *testing.T) {
	rig.On(t, rig.Native)
	const name = "t-begun"
	makeBridge(t)
	before := snapshot(t)
	create(t, name, "-u", "apache2", "-N", "dhcp,bridge=t-br")
	edit(t, name, "start-timeout=5m0s", "start-timeout=12s")
	failed := make(chan outcome)
	go func() { failed <- run(t, "start", name) }()
	// It has asked libvirt for the last time.
	wait(t, "a start that asks for an address", func() bool {
		_, err := os.Stat("/run/virt-sandbox/" + name + "/monitor")
		return err == nil
	})
	restartLibvirtd(t, "kill -9")
	if o := <-failed; o.status != 1 || strings.Count(o.stderr, "\n") != 1 ||
		!strings.Contains(o.stderr, "no DHCP server answers") {
		t.Errorf("start without a DHCP server: %+v", o)
	}
	if out := must(t, "list"); !strings.Contains(out, "stopped") {
		t.Errorf("after the start that failed, list says:\n%s", out)
	}
	must(t, "delete", name)
	sameAs(t, before, "after a start that failed over a restart of libvirtd")
}
