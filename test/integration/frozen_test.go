// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// freezing are the ways by which root inside can halt its whole container, as scripts. Each says "halted" when it is
// about to.
func freezing() map[string]string {
	const move = `for p in $(find $from -name cgroup.procs -exec cat {} + 2>/dev/null); do
		[ $p = $$ ] || echo $p >$to/cgroup.procs 2>/dev/null
	done`
	return map[string]string{
		// What libvirt shows of version 1.
		"freezer": `f=/sys/fs/cgroup/freezer; test -e $f/cgroup.procs || exit 0
			mkdir -p $f/x; from=$f to=$f/x; ` + move + `; echo halted; echo FROZEN >$f/x/freezer.state`,
		// The same from a user namespace of its own, which may mount hierarchies, at the top of what it sees.
		"namespace": `unshare -Urm --propagation private sh -c 'mount -t cgroup -o freezer none /mnt || exit 0
			mkdir -p /mnt/x; from=/mnt to=/mnt/x; ` + move + `; echo halted
			echo FROZEN >/mnt/x/freezer.state; echo FROZEN >/mnt/freezer.state'`,
		"version 2": `f=/sys/fs/cgroup/unified; test -e $f/cgroup.procs || f=/sys/fs/cgroup; mkdir -p $f/x
			from=$f to=$f/x; ` + move + `; echo halted; echo 1 >$f/x/cgroup.freeze`,
		"stopped": `echo halted; kill -STOP -1`,
	}
}

// endsSoon runs the service tool, asks it to end after a second if it has not, and fails the test where it does not.
func endsSoon(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.Cancel = func() error { return command.Process.Signal(unix.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	begun := time.Now()
	_ = command.Run()
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("%q takes %v to end when it is asked to", args, took)
	}
}

// stopsSoon stops a container within the time that it may take, and looks that libvirt has forgotten it.
func stopsSoon(t *testing.T, name string) {
	t.Helper()
	begun := time.Now()
	o := run(t, "stop", name)
	took := time.Since(begun)
	t.Logf("stop took %v: %s", took, o.stderr)
	if o.status != 0 || took > 40*time.Second {
		t.Errorf("stop: %+v after %v", o, took)
	}
	if list := shell(t, "virsh -q -c lxc:/// list --all --name"); strings.Contains(list, name) {
		t.Errorf("libvirt still has %q", list)
	}
}

// createStubborn makes a container in which nothing but its walls holds root inside, with a short time to stop.
func createStubborn(t *testing.T, name string) {
	t.Helper()
	create(t, name, "-C", "-u", "apache2", "--system-calls", "all")
	file := configDir + "/" + name + ".sandbox"
	shell(t, "sed -i '/^stop-timeout=/d; /^pids=/d; /^user-namespaces=/d' "+file+
		" && printf '[hardening]\\nuser-namespaces=yes\\n[limits]\\nstop-timeout=5s\\npids=150\\n' >>"+file)
	must(t, "start", name)
}

// A container that has halted itself keeps nobody waiting: verbs that enter it end when they are asked to, stop ends it
// within its limit, and libvirt forgets it.
func TestStopFrozen(t *testing.T) {
	rig.On(t, rig.Native)
	for name, script := range freezing() {
		t.Run(name, func(t *testing.T) {
			createStubborn(t, "t-frozen")
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			command := exec.CommandContext(ctx, program, "execute", "t-frozen", "--", "sh", "-c", script)
			command.Cancel = func() error { return command.Process.Signal(unix.SIGTERM) }
			command.WaitDelay = 10 * time.Second
			out, _ := command.CombinedOutput()
			t.Logf("%s", out)
			for _, args := range [][]string{
				{"execute", "t-frozen", "--", "true"}, {"logs", "t-frozen"}, {"logrotate", "t-frozen"},
			} {
				endsSoon(t, args...)
			}
			stopsSoon(t, "t-frozen")
			remove(t, "t-frozen")
		})
	}
	t.Run("from outside", func(t *testing.T) {
		createStubborn(t, "t-frozen")
		for file, word := range map[string]string{"freezer.state": "FROZEN", "cgroup.freeze": "1"} {
			shell(t, "for d in $(find /sys/fs/cgroup -name virt-sandbox-t-frozen); do [ ! -e $d/"+file+" ] || echo "+word+
				" >$d/"+file+"; done")
		}
		endsSoon(t, "execute", "t-frozen", "--", "true")
		stopsSoon(t, "t-frozen")
		remove(t, "t-frozen")
	})
}

// A command that meets a container which is just being halted goes on with it, and ends before that if it is asked to.
func TestExecuteMeetsFreeze(t *testing.T) {
	rig.On(t, rig.Native)
	numbers := random(t)
	create(t, "t-frozen", "-C", "-u", "apache2")
	must(t, "start", "t-frozen")
	halt := func(state, flag string) {
		t.Helper()
		for file, word := range map[string]string{"freezer.state": state, "cgroup.freeze": flag} {
			shell(t, "for d in $(find /sys/fs/cgroup -name virt-sandbox-t-frozen); do [ ! -e $d/"+file+" ] || echo "+word+
				" >$d/"+file+"; done")
		}
	}
	t.Cleanup(func() { halt("THAWED", "0") })
	met := 0
	for round := range 40 {
		command := exec.Command(program, "execute", "t-frozen", "--", "echo", "hi")
		var out, failure bytes.Buffer
		command.Stdout, command.Stderr = &out, &failure
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		time.Sleep(time.Duration(10+numbers.IntN(30)) * time.Millisecond)
		halt("FROZEN", "1")
		isAsked, begun := round%2 == 0, time.Now()
		var err error
		select {
		case err = <-ended:
			isAsked = false
		case <-time.After(200 * time.Millisecond):
			met++
			if isAsked {
				_ = command.Process.Signal(unix.SIGTERM)
				select {
				case err = <-ended:
				case <-time.After(4 * time.Second):
					halt("THAWED", "0")
					err = <-ended
				}
			}
			halt("THAWED", "0")
			if !isAsked {
				err = <-ended
			}
		}
		halt("THAWED", "0")
		took := time.Since(begun)
		switch {
		case took > 4*time.Second:
			t.Errorf("round %d: it ends after %v", round, took)
		case isAsked && err == nil && out.String() != "hi\n": // the command may have been done before
			t.Errorf("round %d: it was to end, and has not", round)
		case !isAsked && strings.Contains(failure.String(), "is paused"):
		case !isAsked && (err != nil || out.String() != "hi\n"):
			t.Errorf("round %d: %v, %q, %q", round, err, &out, &failure)
		}
	}
	t.Logf("%d of 40 stood still", met)
	stopsSoon(t, "t-frozen")
}

// Processes that ignore all signals, make others all the time and fill their disk end with the container.
func TestStopStubborn(t *testing.T) {
	rig.On(t, rig.Native)
	createStubborn(t, "t-stubborn")
	const bomb = `#!/bin/bash
trap '' HUP INT QUIT TERM USR1 USR2 PWR TSTP TTIN TTOU
while :; do
	/bin/bash /var/lib/bomb &
	echo x >>/var/lib/filled
	sleep 0.2
done
`
	shell(t, "cat >"+contentDir+"/t-stubborn/var/lib/bomb <<'END'\n"+bomb+"END")
	inside(t, "t-stubborn", "setsid /bin/bash /var/lib/bomb </dev/null >/dev/null 2>&1 & sleep 2")
	endsSoon(t, "execute", "t-stubborn", "--", "true")
	endsSoon(t, "logs", "t-stubborn")
	stopsSoon(t, "t-stubborn")
}
