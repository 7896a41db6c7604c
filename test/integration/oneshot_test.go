// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const oneshot = "virt-sandbox"

// once makes the command line of virt-sandbox that runs a command in a sandbox of the given options.
func once(args ...string) *exec.Cmd {
	return exec.Command(oneshot, append([]string{"-c", "lxc:///"}, args...)...)
}

// A command in a container says and returns what it does outside, and meets what the container is.
func TestOneshotCommands(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	for _, c := range append(everySandbox(t), []sandboxedCommand{
		{name: "-p", options: []string{"-p"}, command: []string{"id", "-un"}, stdout: "root\n"},
		{name: "-S has a namespace", options: []string{"-S", "nobody"},
			command: []string{"awk", "{ print ($2 >= 100000000) }", "/proc/self/uid_map"}, stdout: "1\n"},
		{name: "-S writes as itself", options: []string{"-S", "nobody", "-m", "host-bind:/srv=" + world(t)},
			command: []string{"sh", "-c", "touch /srv/x && stat -c %U /srv/x"}, stdout: "nobody\n"},
		{name: "kernel", command: []string{"sh", "-c", "echo 1 >/proc/sys/kernel/panic"}, stderr: "Read-only file system",
			status: 2},
		{name: "no mount", command: []string{"mount", "-t", "tmpfs", "x", "/mnt"}, stderr: "permission denied", status: 32},
		{name: "-N host", options: []string{"-N", "host"}, command: []string{"readlink", "/proc/self/ns/net"},
			stdout: shell(t, "readlink /proc/self/ns/net")},
		{name: "processes", command: []string{"sh", "-c", "test $(ls -d /proc/[0-9]* | wc -l) -lt 7 && cat /proc/1/comm"},
			stdout: "virt-sandbox-in\n"},
		{name: "cgroups", command: []string{"sh", "-c", "find /sys/fs/cgroup -name tasks | wc -l"}, stdout: "0\n"},
		{name: "capabilities", command: []string{"sh", "-c", "grep CapBnd /proc/self/status | cut -f2 | grep -c " +
			"'^00000000.*'; chroot / true && echo chroot; mknod /tmp/n c 1 3 2>/dev/null || echo none"},
			stdout: "1\nchroot\nnone\n"},
		{name: "limits", options: []string{"--memory", "300M"}, command: []string{"perl", "-e", tooMuch}, status: 137},
		{name: "tools under limits", options: []string{"--memory", "300M"},
			command: []string{"sh", "-c", memoryTools + " && echo fine"}, stdout: "fine\n"},
		{name: "-v", options: []string{"-v"}, command: []string{"echo", "x"}, stdout: "x\n", stderr: "private network"},
		{name: "-d", options: []string{"-d", "-S", "nobody"}, command: []string{"echo", "x"}, stdout: "x\n",
			stderr: "user ids from"},
	}...) {
		t.Run(c.name, func(t *testing.T) { c.check(t, once) })
	}
	sameAs(t, before, "after all of them")
}

// What cannot be had is refused in one line, before anything is made.
func TestOneshotRefusals(t *testing.T) {
	rig.On(t, rig.Native)
	empty := filepath.Join(t.TempDir(), "empty.img")
	if err := os.WriteFile(empty, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t)
	cases := []struct {
		args []string
		want string
	}{
		{[]string{}, "there is no command"},
		{[]string{"-c", "xen:///", "true"}, "sandboxes run at lxc:///"},
		{[]string{"-c", "lxc://other/", "true"}, "sandboxes run at lxc:///"},
		{[]string{"--disk", "data=/no/such/image", "true"}, "--disk \"data=/no/such/image\": stat /no/such/image: " +
			"no such file"},
		{[]string{"--disk", "data", "true"}, "--disk \"data\": it is not TAG=PATH"},
		{[]string{"-m", "host-image:/srv=/no/such/image", "true"}, "mount at /srv: stat /no/such/image: no such file"},
		{[]string{"-m", "host-image:/srv=" + empty, "true"}, "it has no ext4, XFS or Btrfs file system"},
		{[]string{"-m", "guest-bind:/srv=/no/such/dir", "true"}, "show /no/such/dir at /srv"},
		{[]string{"--kernver", "6.1", "true"}, "--kernver"},
		{[]string{"-p", "-S", "nobody", "true"}, "exclude each other"},
		{[]string{"-S", "no-such-user", "true"}, "no such account"},
		{[]string{"-n", "../x", "true"}, "must match"},
		{[]string{"-e", "A", "true"}, "is not NAME=VALUE"},
		{[]string{"-e", "=x", "true"}, "is not NAME=VALUE"},
		{[]string{"-m", "x:/a=/b", "true"}, "-m"},
		{[]string{"-m", "host-bind:/srv=/no/such/dir", "true"}, "no such file"},
		{[]string{"-m", "host-bind:/usr/no/such/dir=/tmp", "true"}, "the root has no such place"},
		{[]string{"--read-write", "/no/such/dir", "true"}, "no such file"},
		{[]string{"-i", "/srv/x=/etc/passwd", "true"}, "lies in no mount"},
		{[]string{"-r", "/etc", "true"}, "no directory dev to mount on"},
		{[]string{"-s", "static", "true"}, "-s"},
		{[]string{"--memory", "x", "true"}, "--memory"},
		{[]string{"--no-such-option", "true"}, "unknown option --no-such-option"},
	}
	for _, c := range cases {
		o := runCommand(t, exec.Command(oneshot, c.args...))
		if o.status != 125 || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%q: %+v; want %q", c.args, o, c.want)
		}
	}
	nobody := exec.Command(oneshot, "true")
	nobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if path, err := exec.LookPath(oneshot); err == nil && exec.Command("runuser", "-u", "nobody", "--", "test", "-x",
		path).Run() == nil {
		if o := runCommand(t, nobody); o.status != 125 || !strings.Contains(o.stderr, "root is needed") {
			t.Errorf("not root: %+v", o)
		}
	}
	away := exec.Command("unshare", "-m", "sh", "-c", "mount -t tmpfs x /run/libvirt && exec "+oneshot+" true")
	if o := runCommand(t, away); o.status != 125 || !strings.Contains(o.stderr, "is "+daemonsOfLibvirt()[0]) ||
		strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("without libvirtd: %+v", o)
	}
	sameAs(t, before, "after refusals")
}

// 100 MB pass through standard input to both outputs at once, and none is lost or mixed up.
func TestOneshotStreams(t *testing.T) {
	rig.On(t, rig.Native)
	const size = 100 << 20
	sameThrough(t, once("--", "sh", "-c", "tee /dev/stderr"), size)
}

// The caller's files are pipes inside: nobody can open them anew for what the caller may not do, or write to its
// terminal.
func TestOneshotFilesStayOutside(t *testing.T) {
	rig.On(t, rig.Native)
	file := t.TempDir() + "/input"
	if err := os.WriteFile(file, []byte("kept\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	input, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	command := once("--", "sh", "-c", "readlink /proc/self/fd/0 | cut -d: -f1; echo lost >/proc/self/fd/0; ls -l "+
		"/proc/*/fd | grep -c "+file)
	command.Stdin = input
	if o := runCommand(t, command); o.stdout != "pipe\n0\n" {
		t.Errorf("%+v", o)
	}
	if data, _ := os.ReadFile(file); string(data) != "kept\n" {
		t.Errorf("the caller's file has %q", data)
	}
}

// A command has a terminal where its caller has one: of the same size, with job control; ^C reaches it as a signal and
// ^] leaves.
func TestOneshotTerminal(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	terminalOf(t, once("sh"))
	command := once("-S", "nobody", "sh", "-c", "stat -c %U $(tty) && echo mine >/dev/tty; stty size")
	person := onTerminal(t, 24, 80, command)
	if got := expect(t, person, "24 80"); !strings.Contains(got, "nobody\r\nmine\r\n") {
		t.Errorf("another user's terminal says %q", got)
	}
	_ = command.Wait()
	command = once("sh", "-c", "echo begun; exec sleep 1000")
	person = onTerminal(t, 24, 80, command)
	expect(t, person, "begun")
	state := func() (unix.Termios, error) {
		s, err := unix.IoctlGetTermios(int(person.Fd()), unix.TCGETS)
		if err != nil {
			return unix.Termios{}, err
		}
		return *s, nil
	}
	raw, err := state()
	if err != nil || raw.Lflag&unix.ECHO != 0 {
		t.Errorf("the caller's terminal echoes: %v", err)
	}
	fmt.Fprint(person, "\x1d")
	expect(t, person, "left by ^]")
	_ = command.Wait()
	if command.ProcessState.ExitCode() != 1 {
		t.Errorf("exit status %d", command.ProcessState.ExitCode())
	}
	if restored, err := state(); err != nil || restored.Lflag&unix.ECHO == 0 {
		t.Errorf("the caller's terminal is not as it was: %v", err)
	}
	sameAs(t, before, "after terminals")
}

// Signals reach the command, whose end is the sandbox's; a command that does not heed them is ended.
func TestOneshotSignals(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	for _, c := range []struct {
		line   string
		signal os.Signal
		status int
	}{
		{"trap 'exit 3' TERM; echo begun; while :; do sleep 0.05; done", unix.SIGTERM, 3},
		{"echo begun; exec sleep 1000", unix.SIGINT, 130},
		{"echo begun; exec sleep 1000", unix.SIGTERM, 143},
		{"trap 'exit 4' USR1; echo begun; while :; do sleep 0.05; done", unix.SIGUSR1, 4},
		{"trap '' TERM; echo begun; while :; do sleep 0.05; done", unix.SIGTERM, 143},
	} {
		command := once("--", "sh", "-c", c.line)
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		_ = command.Process.Signal(c.signal)
		_ = command.Wait()
		if got := command.ProcessState.ExitCode(); got != c.status {
			t.Errorf("%s after %v: %d", c.line, c.signal, got)
		}
	}
	// A reader that has had enough.
	reader := exec.Command("sh", "-c", oneshot+" yes | head -1; exit 0")
	if o := runCommand(t, reader); o.stdout != "y\n" {
		t.Errorf("%+v", o)
	}
	sameAs(t, before, "after signals")
}

// Ten at once do not get in each other's way.
func TestOneshotTenAtOnce(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			command := once("--", "sh", "-c", fmt.Sprintf("cat; sleep 0.2; exit %d", i))
			command.Stdin = strings.NewReader(fmt.Sprint(i))
			out, err := command.CombinedOutput()
			var exit *exec.ExitError
			if (err != nil && !errors.As(err, &exit)) || string(out) != fmt.Sprint(i) || command.ProcessState.ExitCode() != i {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		})
	}
	all.Wait()
	sameAs(t, before, "after ten at once")
}

// Many in a row leave nothing.
func TestOneshotMany(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	for i := range 60 {
		if o := runCommand(t, once("true")); o.status != 0 || o.stdout+o.stderr != "" {
			t.Fatalf("number %d: %+v", i, o)
		}
	}
	sameAs(t, before, "after all of them")
}

// One that is killed takes its sandbox with it, and the next one what it left behind, at whatever moment that was.
func TestOneshotKilled(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	for _, after := range []time.Duration{5, 20, 40, 60, 80, 100, 150, 400} {
		for _, options := range [][]string{{"-n", "t-killed"}, {"-n", "t-killed", "-S", "nobody"}} {
			command := once(append(options, "--", "sleep", "1000")...)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after * time.Millisecond)
			_ = command.Process.Kill()
			_ = command.Wait()
			wait(t, "the end of the sandbox", func() bool {
				return exec.Command("virsh", "-q", "-c", "lxc:///", "domid", "t-killed").Run() != nil &&
					!strings.Contains(strings.Join(processes(), "\n"), "t-killed")
			})
			if o := runCommand(t, once("-n", "t-killed", "true")); o.status != 0 {
				t.Errorf("the next one after %v ms: %+v", int(after), o)
			}
		}
	}
	sameAs(t, before, "after kills")
}

// The administrator's shell is on a console of its own, root's, beside a command that is not.
func TestOneshotShell(t *testing.T) {
	rig.On(t, rig.Native)
	command := once("-n", "t-shell", "-l", "-S", "nobody", "--", "sh", "-c", "echo begun; exec sleep 1000")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(unix.SIGTERM)
		_ = command.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	console, err := pty.Start(exec.Command("virsh", "-c", "lxc:///", "console", "t-shell", "--devname", "console1"))
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	expect(t, console, "Escape character")
	// virsh drops what is typed before it has set the terminal up, and does not say when it has.
	typing := time.NewTicker(500 * time.Millisecond)
	defer typing.Stop()
	go func() {
		for range typing.C {
			if _, err := fmt.Fprint(console, "\necho shell-$(id -u)-of-$(hostname)\n"); err != nil {
				return
			}
		}
	}()
	expect(t, console, "shell-0-of-t-shell")
	fmt.Fprint(console, "\x1d")
}
