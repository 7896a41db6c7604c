// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// memoryTools are programs that read /proc/meminfo, seek in it, and fail where they cannot.
const memoryTools = "free -b >/dev/null && TERM=dumb top -b -n 1 >/dev/null && ps aux >/dev/null && uptime >/dev/null"

// tooMuch is a program for Perl that needs more than 300 MiB.
const tooMuch = `$x = "x" x (350 << 20); print length $x`

const lxcfsDir = "/var/lib/lxcfs"

// lxcfs runs lxcfs until the function is called that it returns, which leaves of it what a crash does.
func lxcfs(t *testing.T) (crash func()) {
	t.Helper()
	if exec.Command("mountpoint", "-q", lxcfsDir).Run() == nil {
		t.Skip("a lxcfs of this machine runs")
	}
	command := exec.Command("lxcfs", "-f", lxcfsDir)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	crash = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	t.Cleanup(func() {
		crash()
		_ = unix.Unmount(lxcfsDir, unix.MNT_DETACH)
	})
	wait(t, "lxcfs", func() bool {
		_, err := os.Stat(lxcfsDir + "/proc/meminfo")
		return err == nil
	})
	return crash
}

// Where lxcfs runs, programs inside see the limits of the container; where it ends meanwhile, its files say so, and
// nothing else of the container suffers. Where it does not run, they see the host's.
func TestLXCFS(t *testing.T) {
	rig.On(t, rig.Native)
	rig.Needs(t, rig.LXCFS)
	const total = "awk '/MemTotal/ { print $2 }' /proc/meminfo"
	hosts := shell(t, total)
	before := snapshot(t)
	for _, ids := range []string{"auto", "none"} {
		create(t, "t-lxcfs", "-C", "-u", "apache2", "--idmap", ids)
		edit(t, "t-lxcfs", "[limits]", "[limits]\nmemory=300M\ncpus=1")
		crash := lxcfs(t)
		must(t, "start", "t-lxcfs")
		if got := inside(t, "t-lxcfs", memoryTools+"; "+total); got != "307200\n" {
			t.Errorf("with idmap %s it has %s KiB of memory", ids, got)
		}
		if got := inside(t, "t-lxcfs", "! echo 1 2>/dev/null >/proc/meminfo; cut -d. -f1 /proc/uptime"); len(got) > 4 {
			t.Errorf("it is up since %s s", got)
		}
		if got := runCommand(t, exec.Command(oneshot, "--memory", "300M", "awk", "/MemTotal/ { print $2 }",
			"/proc/meminfo")); got.stdout != "307200\n" {
			t.Errorf("a one-shot says %q, %s", got.stdout, got.stderr)
		}
		crash()
		got := run(t, "execute", "t-lxcfs", "--", "cat", "/proc/meminfo")
		if got.status == 0 || !strings.Contains(got.stderr, "Transport endpoint is not connected") {
			t.Errorf("after the end of lxcfs: %d, %s", got.status, got.stderr)
		}
		inside(t, "t-lxcfs", "curl -s http://localhost/ >/dev/null && systemctl restart apache2")
		if got := must(t, "status", "t-lxcfs"); !strings.Contains(got, "running") {
			t.Errorf("it is no more well:\n%s", got)
		}
		must(t, "stop", "t-lxcfs")
		if got := run(t, "start", "t-lxcfs"); got.status != 0 || !strings.Contains(got.stderr, "lxcfs has ended") {
			t.Errorf("a start beside what is left of lxcfs: %d, %s", got.status, got.stderr)
		}
		if got := inside(t, "t-lxcfs", memoryTools+"; "+total); got != hosts {
			t.Errorf("without lxcfs it has %s KiB of memory, and the host %s", got, hosts)
		}
		must(t, "stop", "t-lxcfs")
		must(t, "delete", "t-lxcfs")
		_ = unix.Unmount(lxcfsDir, unix.MNT_DETACH)
	}
	sameAs(t, before, "after both")
}
