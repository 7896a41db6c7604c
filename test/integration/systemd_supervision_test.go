// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const supervised = "apache2@t-super.service"

// A process that watches the container may be killed, and libvirtd may: the container goes on, and the unit's state is
// right again.
func TestSystemdSupervisorsDie(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-super", "-C", "-u", "apache2")
	systemctl(t, "start", supervised)
	first := boot(t, "t-super")
	same := func(after string) {
		t.Helper()
		becomes(t, supervised, "active")
		if boot(t, "t-super") != first {
			t.Errorf("%s the container was started anew\n%s", after, status(t, supervised))
		}
	}
	for _, signal := range []string{"KILL", "ABRT", "SEGV"} {
		watcher := property(t, supervised, "MainPID")
		shell(t, "kill -"+signal+" "+watcher)
		wait(t, "another watcher", func() bool {
			now := property(t, supervised, "MainPID")
			return now != watcher && now != "0"
		})
		same("after SIG" + signal + " to its watcher")
		runCommand(t, exec.Command("systemctl", "reset-failed", supervised))
	}
	shell(t, "kill -PIPE "+property(t, supervised, "MainPID"))
	same("after SIGPIPE")
	// Nor does a config keep a container from being taken over that it would not let start.
	edit(t, "t-super", "[limits]", "[limits]\ncolour=blue")
	systemctl(t, "daemon-reload")
	watcher := property(t, supervised, "MainPID")
	shell(t, "kill -9 "+watcher)
	wait(t, "a watcher in spite of the config", func() bool {
		now := property(t, supervised, "MainPID")
		return now != watcher && now != "0"
	})
	same("after a kill of its watcher with a wrong config")
	edit(t, "t-super", "colour=blue\n", "")
	systemctl(t, "daemon-reload")
	runCommand(t, exec.Command("systemctl", "reset-failed", supervised))

	daemon := property(t, daemonsOfLibvirt()[0]+".service", "MainPID")
	shell(t, "kill -9 "+daemon+"; systemctl restart "+servicesOfLibvirt())
	same("after a kill of libvirtd")
	shell(t, "systemctl restart "+servicesOfLibvirt())
	same("after a restart of libvirtd")
	if got := must(t, "list"); !strings.Contains(got, "running") {
		t.Errorf("list: %s", got)
	}
	systemctl(t, "reload", supervised)
	systemctl(t, "stop", supervised)
	must(t, "delete", "t-super")
	sameAs(t, before, "after delete")
}

// A stop that comes when the watcher was just killed is a stop.
func TestSystemdStopAfterKill(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	create(t, "t-super", "-C", "-u", "apache2")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(status(t, supervised), shell(t, "virsh -c lxc:/// list --all; virt-sandbox-service status t-super || true"))
		}
	})
	for range 4 {
		systemctl(t, "start", supervised)
		shell(t, "systemctl kill -s KILL "+supervised+"; systemctl stop "+supervised)
		wait(t, "the container's end", func() bool {
			return property(t, supervised, "ActiveState") != "active" &&
				!strings.Contains(shell(t, "virsh -q -c lxc:/// list --name"), "t-super")
		})
		runCommand(t, exec.Command("systemctl", "reset-failed", supervised))
	}
}

// A container is stopped in order though systemd starts no libvirtd as long as the stop has not ended.
func TestSystemdStopWithoutLibvirtd(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-super", "-C", "-u", "apache2")
	// Nor where libvirtd is not to be had at all, of which the next one knows nothing then.
	systemctl(t, "start", supervised)
	sockets := socketsOfLibvirt()
	t.Cleanup(func() { shell(t, "systemctl start "+sockets) })
	shell(t, "systemctl stop "+sockets+" "+servicesOfLibvirt())
	if o := run(t, "restart", "t-super"); o.status != 1 || property(t, supervised, "ActiveState") != "active" {
		t.Errorf("restart: %+v, and the unit is %s", o, property(t, supervised, "ActiveState"))
	}
	must(t, "stop", "t-super")
	if got := property(t, supervised, "ActiveState"); got != "inactive" {
		t.Errorf("after the stop the unit is %s\n%s", got, status(t, supervised))
	}
	shell(t, "systemctl start "+sockets)
	nothingRuns(t, "t-super")
	for _, verb := range []string{"stop", "restart"} {
		systemctl(t, "start", supervised)
		// It goes by itself after a while without containers of which it knows.
		shell(t, "systemctl stop "+servicesOfLibvirt())
		begun := time.Now()
		systemctl(t, verb, supervised)
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("%s took %v", verb, took)
		}
		want := map[string]string{"stop": "inactive", "restart": "active"}[verb]
		if got := property(t, supervised, "ActiveState"); got != want {
			t.Errorf("after %s the unit is %s, want %s\n%s", verb, got, want, status(t, supervised))
		}
		if got := shell(t, "journalctl --no-pager -q -u "+supervised+" --since=-1min"); !strings.Contains(got,
			"shutting t-super down without it") {
			t.Errorf("the journal does not say how it was stopped:\n%s", got)
		}
	}
	if got := inside(t, "t-super", "curl -s http://localhost/"); !strings.Contains(got, "Debian") {
		t.Errorf("serves %q", got)
	}
	systemctl(t, "stop", supervised)
	must(t, "delete", "t-super")
	sameAs(t, before, "after delete")
}

// A start that fails while libvirtd has gone, and does not come back, leaves nothing running all the same.
func TestSystemdStartLosesLibvirtd(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	makeBridge(t)
	before := snapshot(t)
	create(t, "t-super", "-u", "apache2", "-N", "dhcp,bridge=t-br")
	edit(t, "t-super", "start-timeout=5m0s", "start-timeout=8s")
	systemctl(t, "daemon-reload")
	systemctl(t, "start", "--no-block", supervised)
	wait(t, "a domain", func() bool { return strings.Contains(shell(t, "virsh -q -c lxc:/// list --name"), "t-super") })
	sockets := socketsOfLibvirt()
	t.Cleanup(func() { shell(t, "systemctl start "+sockets) })
	shell(t, "systemctl stop "+sockets+" "+servicesOfLibvirt())
	for begun := time.Now(); property(t, supervised, "ActiveState") != "failed"; time.Sleep(time.Second) {
		if time.Since(begun) > time.Minute {
			t.Fatal("the start does not fail")
		}
	}
	if left := shell(t, "pgrep -a -f '[l]ibvirt_lxc --name t-super ' || :"); left != "" {
		t.Errorf("after the start that failed there are %s", left)
	}
	shell(t, "systemctl start "+sockets)
	must(t, "delete", "t-super")
	sameAs(t, before, "after a start that failed without libvirtd")
}

// A helper that is killed while it starts a container makes the start fail, with nothing left, and the next one works.
func TestSystemdHelperDiesAtStart(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	create(t, "t-super", "-C", "-u", "apache2")
	for _, moment := range []time.Duration{20, 120, 250, 400} {
		systemctl(t, "start", "--no-block", supervised)
		time.Sleep(moment * time.Millisecond)
		runCommand(t, exec.Command("pkill", "-9", "-f", "virt-sandbox-service-helper run t-super$"))
		wait(t, "the end of the start", func() bool {
			state := property(t, supervised, "ActiveState")
			return state == "active" || state == "failed"
		})
		if property(t, supervised, "ActiveState") == "failed" {
			if domains := shell(t, "virsh -q -c lxc:/// list --name"); strings.Contains(domains, "t-super") {
				t.Errorf("after a failed start the container is there: %s", domains)
			}
			systemctl(t, "start", supervised)
		}
		if got := inside(t, "t-super", "curl -s http://localhost/"); !strings.Contains(got, "Debian") {
			t.Errorf("serves %q", got)
		}
		systemctl(t, "stop", supervised)
	}
}

// A start whose process is killed is one that Restart= counts for: who waits for it waits for the next attempt.
func TestSystemdStartIsKilled(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-super", "-C", "-u", "apache2")
	for _, c := range []struct{ restart, phase, want string }{
		{"always", "starting", "active"}, {"on-failure", "", "active"}, {"on-success", "starting", "failed"},
	} {
		shell(t, "sed -i 's/^restart=.*/restart="+c.restart+"/' "+configDir+"/t-super.sandbox")
		systemctl(t, "daemon-reload")
		start := exec.Command("systemctl", "start", supervised)
		if err := start.Start(); err != nil {
			t.Fatal(err)
		}
		awaitMoment(t, "a start", func() bool {
			return property(t, supervised, "MainPID") != "0" && (c.phase == "" ||
				says("/run/virt-sandbox/t-super/state.json", `"phase":"`+c.phase+`"`))
		})
		first := property(t, supervised, "MainPID")
		shell(t, "kill -KILL "+first)
		if err := start.Wait(); (err == nil) != (c.want == "active") {
			t.Errorf("restart=%s: systemctl start: %v\n%s", c.restart, err, status(t, supervised))
		}
		becomes(t, supervised, c.want)
		if c.want == "active" {
			if now := property(t, supervised, "MainPID"); now == first {
				t.Errorf("restart=%s: nothing was killed", c.restart)
			}
			if got := inside(t, "t-super", "curl -s http://localhost/"); !strings.Contains(got, "Debian") {
				t.Errorf("restart=%s: it serves %q", c.restart, got)
			}
			systemctl(t, "stop", supervised)
		}
		nothingRuns(t, "t-super")
		runCommand(t, exec.Command("systemctl", "reset-failed", supervised))
	}
	must(t, "delete", "t-super")
	sameAs(t, before, "after delete")
}

// A start whose process is killed each time comes to its end by systemd's limit of starts.
func TestSystemdStartIsKilledAgain(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	create(t, "t-super", "-C", "-u", "apache2")
	shell(t, "sed -i 's/^restart=.*/restart=always/' "+configDir+"/t-super.sandbox")
	systemctl(t, "daemon-reload")
	ended := make(chan error)
	go func() { ended <- exec.Command("systemctl", "start", supervised).Run() }()
	kills := 0
	for limit := time.After(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			if err == nil || kills < 3 {
				t.Errorf("after %d kills, systemctl start: %v\n%s", kills, err, status(t, supervised))
			}
			becomes(t, supervised, "failed")
			nothingRuns(t, "t-super")
			systemctl(t, "reset-failed", supervised)
			systemctl(t, "start", supervised)
			systemctl(t, "stop", supervised)
			return
		case <-limit:
			t.Fatalf("after %d kills the start has not ended\n%s", kills, status(t, supervised))
		default:
		}
		if pid := property(t, supervised, "MainPID"); pid != "0" &&
			runCommand(t, exec.Command("kill", "-KILL", pid)).status == 0 {
			kills++
		}
	}
}

// Whatever is killed of the end of a unit, the end comes: by the next command that systemd asks, or when a person asks
// for it, who is told of what is left.
func TestSystemdEndIsKilled(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-super", "-u", "apache2")
	for kills := range 4 {
		systemctl(t, "start", supervised)
		inside(t, "t-super", "systemd-run -q --unit=t-slow -p ExecStop='/bin/sleep 4' sleep infinity")
		monitor := property(t, supervised, "MainPID")
		systemctl(t, "stop", "--no-block", supervised)
		killed := ""
		for n := range kills {
			awaitMoment(t, "a command of the end", func() bool {
				now := property(t, supervised, "ControlPID")
				if now == "0" || now == killed || !says("/run/virt-sandbox/t-super/state.json", `"phase":"stopping"`) {
					return false
				}
				killed = now
				return true
			})
			if n == 0 {
				shell(t, "kill -KILL "+monitor) // it would wait for the end
			}
			t.Logf("kill %d of %d: %s", n+1, kills, shell(t, "tr '\\0' ' ' </proc/"+killed+"/cmdline; kill -KILL "+killed))
		}
		wait(t, "the end of the unit", func() bool {
			state := property(t, supervised, "ActiveState")
			return state == "failed" || state == "inactive"
		})
		if kills == 3 {
			if out := must(t, "list"); !strings.Contains(out, "(interrupted)") {
				t.Errorf("after %d kills, list:\n%s", kills, out)
			}
			if o := run(t, "check", "t-super"); o.status != 1 || !strings.Contains(o.stdout, "run stop t-super") {
				t.Errorf("after %d kills, check: %+v", kills, o)
			}
			must(t, "stop", "t-super")
		}
		nothingRuns(t, "t-super")
		runCommand(t, exec.Command("systemctl", "reset-failed", supervised))
	}
	must(t, "delete", "t-super")
	sameAs(t, before, "after delete")
}

// A restart whose command is killed while the container shuts down is carried out all the same.
func TestSystemdRestartIsKilled(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	before := snapshot(t)
	create(t, "t-super", "-C", "-u", "apache2")
	systemctl(t, "start", supervised)
	first := boot(t, "t-super")
	restart := exec.Command(program, "restart", "t-super")
	if err := restart.Start(); err != nil {
		t.Fatal(err)
	}
	awaitMoment(t, "a stop", func() bool { return says("/run/virt-sandbox/t-super/state.json", `"phase":"stopping"`) })
	_ = restart.Process.Kill()
	if err := restart.Wait(); err == nil {
		t.Error("the command had ended before it was killed")
	}
	wait(t, "the end of the restart", func() bool {
		o := run(t, "execute", "t-super", "--", "cut", "-d ", "-f22", "/proc/1/stat")
		return o.status == 0 && o.stdout != first && property(t, supervised, "ActiveState") == "active"
	})
	// Of one that is not up, restart is a start.
	systemctl(t, "stop", supervised)
	must(t, "restart", "t-super")
	becomes(t, supervised, "active")
	must(t, "stop", "t-super")
	must(t, "delete", "t-super")
	sameAs(t, before, "after delete")
}

// A container that breaks down makes its unit fail with the reason, and Restart= brings it back. One that shuts itself
// down or reboots does as it says.
func TestSystemdContainerEnds(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	create(t, "t-super", "-C", "-u", "apache2")
	systemctl(t, "start", supervised)
	shell(t, "kill -9 $(cat /run/libvirt/lxc/t-super.pid)")
	becomes(t, supervised, "failed")
	if got := status(t, supervised); !strings.Contains(got, "the container broke down") {
		t.Errorf("systemctl status does not say why:\n%s", got)
	}

	edit(t, "t-super", "restart=no", "restart=on-failure")
	systemctl(t, "daemon-reload")
	systemctl(t, "start", supervised)
	first := boot(t, "t-super")
	shell(t, "kill -9 $(cat /run/libvirt/lxc/t-super.pid)")
	wait(t, "the container to be started anew", func() bool {
		o := run(t, "execute", "t-super", "--", "cut", "-d ", "-f22", "/proc/1/stat")
		return o.status == 0 && o.stdout != first && property(t, supervised, "ActiveState") == "active"
	})

	first = boot(t, "t-super")
	run(t, "execute", "t-super", "--", "systemctl", "reboot")
	wait(t, "the container's reboot", func() bool {
		o := run(t, "execute", "t-super", "--", "cut", "-d ", "-f22", "/proc/1/stat")
		return o.status == 0 && o.stdout != first && property(t, supervised, "ActiveState") == "active"
	})
	run(t, "execute", "t-super", "--", "systemctl", "poweroff")
	becomes(t, supervised, "inactive")
	if got := property(t, supervised, "Result"); got != "success" {
		t.Errorf("after a shutdown from inside: %s\n%s", got, status(t, supervised))
	}
}

// maxResident is what may stay beside a running container, in KiB of proportional set size.
const maxResident = 3 << 10

// TestSystemdResident adds up what stays in the unit's cgroup: all but libvirt's process and the container's own.
func TestSystemdResident(t *testing.T) {
	rig.On(t, rig.Host, rig.VM)
	rig.Needs(t, rig.Systemd)
	create(t, "t-super", "-C", "-u", "apache2")
	systemctl(t, "start", supervised)
	// A journalctl that reads the container's journal is there for a moment.
	wait(t, fmt.Sprintf("at most %d KiB beside a container", maxResident), func() bool {
		pids, total := residents(t, supervised)
		t.Logf("%d processes of %d KiB", len(pids), total)
		return total > 0 && total <= maxResident
	})
}

// residents lists the processes in the cgroup of a unit, and adds up their proportional set sizes in KiB.
func residents(t *testing.T, unit string) (pids []string, total int) {
	t.Helper()
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range groups {
		data, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(data), "/"+unit+"\n") {
			continue
		}
		pids = append(pids, filepath.Base(filepath.Dir(file)))
		sizes, _ := os.ReadFile(filepath.Dir(file) + "/smaps_rollup")
		for line := range strings.Lines(string(sizes)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
				kib, err := strconv.Atoi(fields[1])
				if err != nil {
					t.Fatal(err)
				}
				total += kib
			}
		}
	}
	return pids, total
}

// A unit inside that fails for good, and only that, fails the container's unit at once, with the reason.
func TestSystemdUnitFails(t *testing.T) {
	rig.On(t, rig.Host, rig.VM)
	rig.Needs(t, rig.Systemd)
	create(t, "t-super", "-C", "-u", "apache2")
	fail := func() {
		t.Helper()
		systemctl(t, "start", supervised)
		inside(t, "t-super", "mkdir -p /run/systemd/system/apache2.service.d; printf '[Service]\nRestart=no\n' "+
			">/run/systemd/system/apache2.service.d/t.conf; systemctl daemon-reload; "+
			"kill -9 $(systemctl show -P MainPID apache2)")
	}
	fail()
	begun := time.Now()
	becomes(t, supervised, "failed")
	t.Logf("it took %v", time.Since(begun))
	for _, want := range []string{
		"status=69", "apache2.service inside failed (signal)", "apache2.service: Failed with result 'signal'",
	} {
		if text := status(t, supervised); !strings.Contains(text, want) {
			t.Errorf("without %q:\n%s", want, text)
		}
	}
	if d, _ := statusOf(t, "t-super", 3); !strings.Contains(d.LastError, "apache2.service inside failed (signal)") {
		t.Errorf("last error: %s", d.LastError)
	}
	edit(t, "t-super", "restart=no", "restart=no\non-failure=restart")
	systemctl(t, "daemon-reload")
	systemctl(t, "reset-failed", supervised)
	fail()
	wait(t, "a container that is started anew", func() bool {
		return property(t, supervised, "NRestarts") == "1" && property(t, supervised, "ActiveState") == "active"
	})
	edit(t, "t-super", "on-failure=restart", "on-failure=restart\nhealth-cmd=test ! -e /tmp/sick\nhealth-interval=2s")
	systemctl(t, "daemon-reload")
	systemctl(t, "restart", supervised)
	inside(t, "t-super", "touch /tmp/sick")
	wait(t, "a container that is started anew since it was sick", func() bool {
		return property(t, supervised, "NRestarts") == "1" && property(t, supervised, "ActiveState") == "active"
	})
	if text := shell(t, "journalctl --no-pager -q -u "+supervised+" --since=-5min"); !strings.Contains(text,
		"health-cmd failed 3 times: exit status 1") {
		t.Errorf("the journal does not say why:\n%s", text)
	}
}
