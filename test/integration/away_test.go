// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Where libvirt cannot be reached, verbs do what they can without it or say in one line what is missing; stop ends the
// container, of which libvirt knows nothing afterwards.
func TestVerbsWithoutLibvirtd(t *testing.T) {
	rig.On(t, rig.Native)
	const name, nowhere = "t-away", "lxc:///?socket=/run/none"
	before := snapshot(t)
	create(t, name, "-C", "-u", "apache2")
	must(t, "start", name)
	away := func(args ...string) outcome {
		t.Helper()
		return run(t, append([]string{"-c", nowhere}, args...)...)
	}
	first := boot(t, name)
	for _, args := range [][]string{
		{"execute", name, "--", "true"}, {"logs", name}, {"kill", "-s", "CONT", name}, {"reload", name},
		{"pause", name}, {"resume", name}, {"set-property", "--runtime", name, "memory=2G"}, {"export", "--freeze", name,
			filepath.Join(t.TempDir(), "x")}, {"needs-restart", name}, {"logrotate", name},
	} {
		if o := away(args...); o.status != 0 {
			t.Errorf("%q: %+v", args, o)
		}
	}
	if o := away("status", name); o.status != 0 || !strings.Contains(o.stdout, "running") ||
		strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "connect to libvirt") {
		t.Errorf("status: %+v", o)
	}
	refused(t, away("restart", name), "connect to libvirt")
	refused(t, away("delete", name), "is running")
	refused(t, away("clone", "--freeze", name, "t-away2"), "connect to libvirt")
	refused(t, away("top"), "connect to libvirt")
	if o := away("list"); o.status != 1 || !strings.Contains(o.stdout, "unknown") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("list: %+v", o)
	}
	if again := boot(t, name); again != first {
		t.Error("another container runs")
	}
	o := away("stop", name)
	if o.status != 0 || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "libvirt does not answer; "+
		"shutting "+name+" down without it, and it forgets the domain when it is back") {
		t.Errorf("stop: %+v", o)
	}
	forgotten(t, name)
	nothingRuns(t, name)
	if o := away("stop", name); o.status != 0 || o.stderr != "" {
		t.Errorf("stop of one that is down: %+v", o)
	}
	refused(t, away("execute", name, "--", "true"), "is not running")
	if o := away("start", name); o.status != 1 || strings.Count(o.stderr, "\n") != 1 ||
		!strings.Contains(o.stderr, "connect to libvirt") {
		t.Errorf("start: %+v", o)
	}
	nothingRuns(t, name)
	if o := away("delete", name); o.status != 0 {
		t.Errorf("delete: %+v", o)
	}
	sameAs(t, before, "after delete")
}

// A libvirtd whose socket is there and that answers nobody keeps no verb longer than half a minute and what the verb
// itself takes.
func TestVerbsWithSilentLibvirtd(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	socket := filepath.Join(t.TempDir(), "silent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, name := range []string{"t-away1", "t-away2"} {
		create(t, name, "-C", "-u", "apache2")
		must(t, "start", name)
	}
	var all sync.WaitGroup
	for _, c := range []struct {
		args   []string
		status int
	}{
		{[]string{"execute", "t-away1", "--", "true"}, 0}, {[]string{"status", "t-away1"}, 0}, {[]string{"list"}, 1},
		{[]string{"top"}, 1}, {[]string{"restart", "t-away1"}, 1}, {[]string{"logs", "t-away1"}, 0},
		{[]string{"stop", "t-away2"}, 0}, {[]string{"create", "-u", "apache2", "t-away3"}, 1},
	} {
		all.Go(func() {
			begun := time.Now()
			command := exec.Command(program, append([]string{"-c", "lxc:///?socket=" + socket}, c.args...)...)
			said, _ := command.CombinedOutput()
			status := command.ProcessState.ExitCode()
			if took := time.Since(begun); status != c.status || took > 50*time.Second {
				t.Errorf("%q: exit status %d after %v:\n%s", c.args, status, took, said)
			}
		})
	}
	impatient := exec.Command(program, "-c", "lxc:///?socket="+socket, "status", "t-away1")
	if err := impatient.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		time.Sleep(time.Second)
		_ = impatient.Process.Signal(os.Interrupt)
	}
	begun := time.Now()
	if _ = impatient.Wait(); time.Since(begun) > 5*time.Second {
		t.Errorf("after two signals a verb goes on for %v", time.Since(begun))
	}
	all.Wait()
	forgotten(t, "t-away2")
	nothingRuns(t, "t-away2")
	must(t, "stop", "t-away1")
	for _, name := range []string{"t-away1", "t-away2"} {
		must(t, "delete", name)
	}
	sameAs(t, before, "after delete")
}

// forgotten waits until a libvirt that was not asked has noticed that a container has ended.
func forgotten(t *testing.T, name string) {
	t.Helper()
	begun := time.Now()
	wait(t, "libvirt to notice the end of "+name, func() bool {
		if time.Since(begun) > 2*time.Second {
			// It may have lost sight of it.
			shell(t, "virsh -q -c lxc:/// destroy "+name+" || :")
		}
		return !strings.Contains(shell(t, "virsh -q -c lxc:/// list --all --name"), name)
	})
}
