// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const troubled = "apache2@t-trouble.service"

// troubles are what can be wrong with a host.
func troubles() map[string]struct{ begin, end string } {
	const state = "/var/lib/virt-sandbox"
	return map[string]struct{ begin, end string }{
		"a full /run": {"grep -o 'tmpfs /run .*' /proc/mounts | grep -o 'size=[0-9a-z]*' >/t-size && " +
			"mount -o remount,size=48m /run && cat /dev/zero >/run/t-fill 2>/dev/null || :",
			"rm -f /run/t-fill; mount -o remount,$(cat /t-size) /run; rm -f /t-size"},
		"a full /var": {"mkdir /t-state && mount -t tmpfs -o size=20m none /t-state && cp -a " + state + "/. /t-state && " +
			"mount --bind /t-state " + state + " && cat /dev/zero >" + state + "/t-fill 2>/dev/null || :",
			"umount " + state + "; umount /t-state; rmdir /t-state"},
		"a read-only /etc": {"mount --bind /etc /etc && mount -o remount,bind,ro /etc", "umount /etc"},
	}
}

// Whatever is wrong with the host's disks, a container that is up can be stopped, what cannot be done is said and
// leaves nothing, and all works again when the host does.
func TestSystemdTroubledHost(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-trouble", "-C", "-u", "apache2")
	for name, trouble := range troubles() {
		t.Run(name, func(t *testing.T) {
			systemctl(t, "start", troubled)
			shell(t, trouble.begin)
			t.Cleanup(func() { shell(t, trouble.end+" 2>/dev/null || :") })
			if o := run(t, "stop", "t-trouble"); o.status != 0 {
				t.Errorf("stop: %+v", o)
			}
			nothingRuns(t, "t-trouble")
			for _, args := range [][]string{
				{"start", "t-trouble"}, {"set-property", "t-trouble", "memory=3G"}, {"create", "-C", "-u", "apache2", "t-trouble2"},
				{"status", "t-trouble"}, {"check", "t-trouble"}, {"clone", "t-trouble", "t-trouble3"},
			} {
				o := run(t, args...)
				t.Logf("%q: %d %s%s", args, o.status, o.stdout, o.stderr)
				if o.status == 1 && strings.Count(o.stderr+o.stdout, "\n") == 0 {
					t.Errorf("%q says nothing", args)
				}
			}
			for _, made := range []string{"t-trouble2", "t-trouble3"} {
				if o := run(t, "delete", "--ignore", made); o.status != 0 {
					t.Errorf("delete %s: %+v", made, o)
				}
			}
			if o := run(t, "stop", "t-trouble"); o.status != 0 {
				t.Errorf("stop: %+v", o)
			}
			nothingRuns(t, "t-trouble")
			shell(t, trouble.end)
			runCommand(t, exec.Command("systemctl", "reset-failed", troubled))
			must(t, "delete", "--ignore", "t-trouble2", "t-trouble3")
			systemctl(t, "start", troubled)
			systemctl(t, "stop", troubled)
		})
	}
	must(t, "delete", "t-trouble")
	sameAs(t, before, "after delete")
}

// Jobs of systemd that cross each other, with reloads and new executions of systemd in between and kills of what works
// for the unit, end in a unit that starts and stops, with nothing behind.
func TestSystemdJobsCross(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	numbers := random(t)
	create(t, "t-trouble", "-C", "-u", "apache2")
	steps := []string{
		"systemctl start --no-block UNIT", "systemctl stop --no-block UNIT", "systemctl restart --no-block UNIT",
		"systemctl start --no-block UNIT", "systemctl restart --no-block UNIT", "systemctl stop UNIT",
		"systemctl daemon-reload", "systemctl daemon-reexec", "systemctl reload --no-block UNIT",
		"systemctl kill -s KILL UNIT", "systemctl kill -s TERM UNIT", "systemctl kill --kill-who=control -s KILL UNIT",
		"virt-sandbox-service stop t-trouble", "virt-sandbox-service restart t-trouble",
		"virt-sandbox-service set-property t-trouble memory=2G", "virt-sandbox-service pause t-trouble",
	}
	for round := range togetherRounds() {
		var done []string
		for range 2 + numbers.IntN(6) {
			step := strings.ReplaceAll(steps[numbers.IntN(len(steps))], "UNIT", troubled)
			begun := time.Now()
			o := runCommand(t, exec.Command("sh", "-c", "timeout 100 "+step+" 2>&1"))
			done = append(done, step+": "+strings.TrimSpace(o.stdout)+" "+time.Since(begun).Round(time.Millisecond).String())
			if o.status == 124 {
				t.Errorf("it hangs: %s", step)
			}
			time.Sleep(time.Duration(numbers.Int64N(int64(900 * time.Millisecond))))
		}
		shell(t, "systemctl reset-failed "+troubled+" 2>/dev/null || :")
		systemctl(t, "stop", troubled)
		shell(t, "systemctl reset-failed "+troubled+" 2>/dev/null || :")
		must(t, "stop", "t-trouble")
		nothingRuns(t, "t-trouble")
		if o := runCommand(t, exec.Command("systemctl", "start", troubled)); o.status != 0 {
			t.Errorf("the next start: %s\n%s", o.stderr, status(t, troubled))
		}
		systemctl(t, "stop", troubled)
		nothingRuns(t, "t-trouble")
		if t.Failed() {
			t.Fatalf("round %d:\n%s\n%s", round, strings.Join(done, "\n"), status(t, troubled))
		}
		shell(t, "systemctl reset-failed "+troubled+" 2>/dev/null || :")
	}
	must(t, "delete", "t-trouble")
}

// Twenty restarts in a row are twenty containers, the last of which serves.
func TestSystemdRestartsInARow(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	create(t, "t-trouble", "-C", "-u", "apache2")
	for n := range 20 {
		systemctl(t, "restart", troubled)
		switch n % 5 {
		case 1:
			systemctl(t, "daemon-reload")
		case 3:
			systemctl(t, "daemon-reexec")
		}
		systemctl(t, "reset-failed", troubled) // they come quickly
	}
	if got := inside(t, "t-trouble", "curl -s http://localhost/"); !strings.Contains(got, "Debian") {
		t.Errorf("it serves %q", got)
	}
	systemctl(t, "stop", troubled)
	nothingRuns(t, "t-trouble")
}
