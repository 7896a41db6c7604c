// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Root inside has only the capabilities that a container's root needs, and those that the unit or the administrator
// asked for.
func TestCapabilities(t *testing.T) {
	rig.On(t, rig.Native)
	const base = 1<<unix.CAP_AUDIT_WRITE | 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER |
		1<<unix.CAP_FSETID |
		1<<unix.CAP_KILL | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_NET_BROADCAST |
		1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETFCAP |
		1<<unix.CAP_SETGID | 1<<unix.CAP_SETPCAP | 1<<unix.CAP_SETUID | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_SYS_TTY_CONFIG
	const network = 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_BROADCAST | 1<<unix.CAP_NET_RAW
	for _, c := range []struct {
		name    string
		options []string
		want    uint64
	}{
		{"auto", nil, base},
		{"unit", []string{"-u", "vst-capable"}, base | 1<<unix.CAP_IPC_LOCK},
		{"tracing", []string{"--capabilities", "auto +CAP_SYS_PTRACE"}, base | 1<<unix.CAP_SYS_PTRACE},
		{"changed", []string{"--capabilities", "auto +CAP_SYS_NICE -CAP_NET_RAW"},
			base&^(1<<unix.CAP_NET_RAW) | 1<<unix.CAP_SYS_NICE},
		{"mounting", []string{"--capabilities", "auto +CAP_SYS_ADMIN"}, base | 1<<unix.CAP_SYS_ADMIN},
		{"listed", []string{"--capabilities", "CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE CAP_SYS_RESOURCE " +
			"CAP_SYS_PTRACE CAP_KILL"},
			1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_SYS_RESOURCE |
				1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_KILL},
		{"host-network", []string{"-N", "host"}, base &^ network},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !slices.Contains(c.options, "-u") {
				c.options = append(c.options, "-u", "vst-forking")
			}
			installUnits(t)
			create(t, "t-caps", c.options...)
			must(t, "start", "t-caps")
			text := strings.TrimSpace(inside(t, "t-caps", "awk '/CapBnd/ { print $2 }' /proc/1/status"))
			got, err := strconv.ParseUint(text, 16, 64)
			if want := c.want & available(t); err != nil || got != want {
				t.Errorf("got %x (%v), want %x", got, err, want)
			}
			remove(t, "t-caps")
		})
	}
}

// available are the capabilities that the host can give: where it is a container itself, it may lack some.
func available(t *testing.T) uint64 {
	t.Helper()
	set, err := strconv.ParseUint(strings.TrimSpace(shell(t, "awk '/CapBnd/ { print $2 }' /proc/self/status")), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// What libvirt and we take away from root inside stays away: device nodes, the kernel's tunables and tell-tales.
func TestKernelIsOutOfReach(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-hard", "-C", "-u", "apache2")
	node := contentDir + "/t-hard/var/lib/block-device"
	if err := unix.Mknod(node, unix.S_IFBLK|0o666, int(unix.Mkdev(7, 0))); err != nil {
		t.Fatal(err)
	}
	must(t, "start", "t-hard")
	for _, attempt := range []struct{ script, refusal string }{
		{"mknod /run/node b 7 0", "Operation not permitted"},
		{"mknod /run/node c 1 1", "Operation not permitted"},
		{"head -c 1 /var/lib/block-device", "Permission denied"},
		{"echo h >/proc/sysrq-trigger", "Read-only file system"},
		{"echo x >/proc/sys/kernel/core_pattern", "Read-only file system"},
		{"echo 1 >/sys/kernel/mm/ksm/run", "Read-only file system"},
		{"mount -t tmpfs x /mnt", "permission denied"},
		{"mount -o remount,rw /", "permission denied"},
		{"mount -o remount,ro /usr", "permission denied"},
		{"umount -l /root", "must be superuser"},
		{"unshare -m true", "Operation not permitted"},
		{"fsfreeze -f /var", "Operation not permitted"},
		{"date -s 2001-01-01", "Operation not permitted"},
		{"dmesg", "not permitted"},
		{"chattr +i /var/www/html/index.html", "Operation not permitted"},
		{"touch /sys/firmware/x", "Read-only file system"},
	} {
		if _, file, found := strings.Cut(attempt.script, ">"); found {
			if _, err := os.Stat(file); err != nil {
				continue // This kernel has none.
			}
		}
		o := run(t, "execute", "t-hard", "--", "sh", "-c", "exec 2>&1; "+attempt.script)
		if o.status == 0 || !strings.Contains(o.stdout, attempt.refusal) {
			t.Errorf("%s: %+v, want %q", attempt.script, o, attempt.refusal)
		}
	}
	for _, p := range []string{"/proc/kallsyms", "/proc/keys", "/proc/kcore", "/proc/kmsg", "/proc/timer_list",
		"/proc/kpageflags", "/proc/kpagecount", "/proc/vmallocinfo", "/sys/firmware", "/sys/kernel/debug"} {
		if _, err := os.Lstat(p); err != nil {
			continue
		}
		if got := inside(t, "t-hard", "cat "+p+" 2>/dev/null; ls -A "+p+"/ 2>/dev/null; true"); got != "" {
			t.Errorf("%s has %.100q inside", p, got)
		}
	}
	if got := inside(t, "t-hard", "curl -s http://localhost/ | grep -c 'Default Page'; echo 1 "+
		">/proc/sys/net/ipv4/ip_forward; ls -A /run | grep covers; true"); got == "0\n" || strings.Contains(got, "covers") {
		t.Errorf("with all that: %q", got)
	}
	must(t, "stop", "t-hard")
	edit(t, "t-hard", "[limits]", "[hardening]\nread-only-kernel=no\nhide-kernel=no\n\n[limits]")
	must(t, "start", "t-hard")
	if got := inside(t, "t-hard", "head -c 1 /proc/kallsyms | wc -c; awk '$2 == \"/proc/sysrq-trigger\"' "+
		"/proc/mounts"); got != "1\n" {
		t.Errorf("switched off: %q", got)
	}
}

// A container cannot have more processes than its limit, which it cannot change, and a command of execute counts too.
// What [service] says for it is so: of its services inside, and of its cgroup.
func TestProcessLimit(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	rig.Needs(t, rig.PIDController)
	before := snapshot(t)
	create(t, "t-pids", "-C", "-u", "apache2")
	edit(t, "t-pids", "pids=4096", "pids=150")
	edit(t, "t-pids", "[limits]", "[service]\nCPUWeight=50\nLimitNOFILE=4321\nNoNewPrivileges=yes\n[limits]")
	must(t, "start", "t-pids")
	const bomb = "for i in $(seq 200); do sleep 10 & done; wait"
	if o := run(t, "execute", "t-pids", "--", "sh", "-c", bomb); !strings.Contains(strings.ToLower(o.stderr),
		"cannot fork") {
		t.Errorf("200 processes of 150: %+v", o)
	}
	// The processes of the bomb go on for a while, and leave no room for others.
	wait(t, "LimitNOFILE= and NoNewPrivileges= count inside", func() bool {
		return run(t, "execute", "t-pids", "--", "sh", "-c", "cd /proc/$(systemctl show -P MainPID apache2); "+
			"awk '/open files/ {print $4}' limits; awk '/NoNewPrivs/ {print $2}' status").stdout == "4321\n1\n"
	})
	if got := inside(t, "t-pids", "cat /sys/fs/cgroup/pids.max 2>/dev/null; mkdir /tmp/v1; mount -t cgroup -o pids x "+
		"/tmp/v1 2>/dev/null; cat /tmp/v1/pids.max 2>/dev/null; true"); strings.Contains(got, "150") {
		t.Errorf("the limit shows inside, where it can be changed: %q", got)
	}
	if got := shell(t, `find /sys/fs/cgroup -path '*lxc*pids*' \( -name cpu.weight -o -name cpu.shares \) `+
		`-exec grep -hx -e 50 -e 512 {} +`); got != "50\n" && got != "512\n" {
		t.Errorf("CPUWeight= makes %q", got)
	}
	remove(t, "t-pids")
	sameAs(t, before, "after delete")
}

// Without CAP_SYS_PTRACE and CAP_SYS_RESOURCE a systemd inside still knows whose processes are which, and its journal
// who said what; nobody inside is spared when memory runs out, and services raise their limits as on the host.
func TestWithoutTracing(t *testing.T) {
	rig.On(t, rig.Native)
	installUnits(t)
	create(t, "t-trace", "-u", "vst-forking")
	must(t, "start", "t-trace")
	inside(t, "t-trace", "systemd-run --quiet --unit=other --property=User=nobody --property=LimitNOFILE=65536 "+
		"--property=OOMScoreAdjust=-900 sh -c 'echo said by another; ulimit -n; exec sleep 300'; sleep 1; journalctl --sync")
	files := "65536\n"
	if available(t)&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		files = shell(t, "ulimit -Hn") // More than this machine has it cannot give.
	}
	got := inside(t, "t-trace", "journalctl --no-pager -o cat -u other _UID=65534")
	if want := "said by another\n" + files; got != want {
		t.Errorf("the journal of a unit of another user: got %q, want %q", got, want)
	}
	if got := inside(t, "t-trace", "systemctl status --no-pager other"); !strings.Contains(got, "sleep 300") ||
		!strings.Contains(got, "said by another") {
		t.Errorf("the status of a unit of another user: %q", got)
	}
	if got := inside(t, "t-trace", "cat /proc/$(systemctl show -P MainPID other)/oom_score_adj"); got != "0\n" {
		t.Errorf("OOMScoreAdjust=-900 made %q", got)
	}
	for _, attempt := range []string{
		"echo -1000 >/proc/self/oom_score_adj", "cat /proc/$(systemctl show -P MainPID other)/environ",
		"readlink /proc/$(systemctl show -P MainPID other)/fd/1",
	} {
		if o := run(t, "execute", "t-trace", "--", "sh", "-c", attempt); o.status == 0 {
			t.Errorf("%s: %+v", attempt, o)
		}
	}
	remove(t, "t-trace")
}
