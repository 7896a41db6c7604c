package integration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
)

const oneshot = "virt-sandbox"

// once makes the command line of virt-sandbox that runs a command in a sandbox of the given options.
func once(args ...string) *exec.Cmd {
	return exec.Command(oneshot, append([]string{"-c", "lxc:///"}, args...)...)
}

// busyboxRoot makes a tree with another system in it: busybox, and what the host lacks.
func busyboxRoot(t *testing.T) string {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("busybox-static is not installed: %v", err)
	}
	root := t.TempDir()
	for _, dir := range []string{"bin", "dev", "proc", "run", "sys", "tmp", "etc", "srv"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Chmod(filepath.Dir(root), 0o755)
	for file, data := range map[string]string{"bin/busybox": string(busybox), "etc/release": "another system\n"} {
		if err := os.WriteFile(filepath.Join(root, file), []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "cat", "ls", "touch", "id", "true"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// A command in a sandbox says and returns what it does outside, and meets what the sandbox is.
func TestOneshotCommands(t *testing.T) {
	before := snapshot(t)
	root, shared := busyboxRoot(t), t.TempDir()
	if err := os.WriteFile(shared+"/there", []byte("there\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	script := shared + "/script"
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		options []string
		command []string
		stdin   string
		stdout  string // whole
		stderr  string // a part
		status  int
	}{
		{name: "exit 0", command: []string{"/bin/true"}},
		{name: "exit 1", command: []string{"/bin/false"}, status: 1},
		{name: "exit 7", command: []string{"sh", "-c", "exit 7"}, status: 7},
		{name: "exit 255", command: []string{"sh", "-c", "exit 255"}, status: 255},
		{name: "not found", command: []string{"no-such-command"}, stderr: "no-such-command: command not found", status: 127},
		{name: "no such path", command: []string{"/no/such/command"}, stderr: "/no/such/command: command not found", status: 127},
		{name: "not executable", command: []string{"/etc/passwd"}, stderr: "permission denied", status: 126},
		{name: "a directory", command: []string{"/etc"}, stderr: "permission denied", status: 126},
		{name: "no interpreter", options: []string{"--read-write", shared}, command: []string{script}, stderr: "no such file", status: 127},
		{name: "SIGKILL", command: []string{"sh", "-c", "kill -9 $$"}, status: 128 + 9},
		{name: "SIGTERM", command: []string{"sh", "-c", "kill $$"}, status: 128 + 15},
		{name: "SIGSEGV", command: []string{"sh", "-c", "kill -SEGV $$"}, status: 128 + 11},
		{name: "stdout", command: []string{"echo", "a", "b c"}, stdout: "a b c\n"},
		{name: "stderr", command: []string{"sh", "-c", "echo out; echo err >&2"}, stdout: "out\n", stderr: "err\n"},
		{name: "stdin", command: []string{"cat"}, stdin: "in\nno newline", stdout: "in\nno newline"},
		{name: "empty stdin", command: []string{"wc", "-c"}, stdout: "0\n"},
		{name: "binary", command: []string{"od", "-An", "-c"}, stdin: "\x00\x1d\xff\r\n", stdout: "  \\0 035 377  \\r  \\n\n"},
		{name: "unread stdin", command: []string{"true"}, stdin: strings.Repeat("x", 1<<20)},
		{name: "no terminal", command: []string{"tty"}, stdout: "not a tty\n", status: 1},
		{name: "a child that stays", command: []string{"sh", "-c", "sleep 1000 & echo gone"}, stdout: "gone\n"},
		{name: "arguments", command: []string{"printf", "%s|", "", "a b", "$x", "-c", "*"}, stdout: "|a b|$x|-c|*|"},
		{name: "env", options: []string{"-e", "A=b=c", "-e", "EMPTY="}, command: []string{"sh", "-c", `echo "$A,${EMPTY-unset},${EMPTY:-empty}"`}, stdout: "b=c,,empty\n"},
		{name: "nothing of the caller's environment", command: []string{"sh", "-c", "echo ${VST_CALLER-unset}"}, stdout: "unset\n"},
		{name: "PATH", options: []string{"-e", "PATH=" + shared + ":/bin", "--read-write", shared}, command: []string{"sh", "-c", "echo $PATH"}, stdout: shared + ":/bin\n"},
		{name: "PATH without", options: []string{"-e", "PATH=/nowhere"}, command: []string{"true"}, stderr: "command not found", status: 127},
		{name: "root", command: []string{"sh", "-c", "id -u; echo $HOME $USER; pwd"}, stdout: "0\n/root root\n/root\n"},
		{name: "-p", options: []string{"-p"}, command: []string{"id", "-un"}, stdout: "root\n"},
		{name: "-S", options: []string{"-S", "nobody"}, command: []string{"id"}, stdout: "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n"},
		{name: "-S has a namespace", options: []string{"-S", "nobody"}, command: []string{"awk", "{ print ($2 >= 100000000) }", "/proc/self/uid_map"}, stdout: "1\n"},
		{name: "-S may not", options: []string{"-S", "nobody"}, command: []string{"cat", "/etc/shadow"}, stderr: "Permission denied", status: 1},
		{name: "-S writes as itself", options: []string{"-S", "nobody", "-m", "host-bind:/srv=" + world(t)}, command: []string{"sh", "-c", "touch /srv/x && stat -c %U /srv/x"}, stdout: "nobody\n"},
		{name: "host file", command: []string{"sh", "-c", "echo x >>/etc/passwd"}, stderr: "Read-only file system", status: 2},
		{name: "host root", command: []string{"touch", "/x"}, stderr: "Read-only file system", status: 1},
		{name: "kernel", command: []string{"sh", "-c", "echo 1 >/proc/sys/kernel/panic"}, stderr: "Read-only file system", status: 2},
		{name: "no mount", command: []string{"mount", "-t", "tmpfs", "x", "/mnt"}, stderr: "permission denied", status: 32},
		{name: "tmp", command: []string{"sh", "-c", "ls -A /tmp; touch /tmp/x && stat -f -c %T /tmp"}, stdout: "tmpfs\n"},
		{name: "network", command: []string{"sh", "-c", "ls /sys/class/net; cat /sys/class/net/lo/flags"}, stdout: "lo\n0x9\n"},
		{name: "-N host", options: []string{"-N", "host"}, command: []string{"readlink", "/proc/self/ns/net"}, stdout: shell(t, "readlink /proc/self/ns/net")},
		{name: "processes", command: []string{"sh", "-c", "test $(ls -d /proc/[0-9]* | wc -l) -lt 7 && cat /proc/1/comm"}, stdout: "virt-sandbox-in\n"},
		{name: "hostname", options: []string{"-n", "t-once"}, command: []string{"hostname"}, stdout: "t-once\n"},
		{name: "cgroups", command: []string{"sh", "-c", "find /sys/fs/cgroup -name tasks | wc -l"}, stdout: "0\n"},
		{name: "capabilities", command: []string{"sh", "-c", "grep CapBnd /proc/self/status | cut -f2 | grep -c '^00000000.*'; chroot / true && echo chroot; mknod /tmp/n c 1 3 2>/dev/null || echo none"}, stdout: "1\nchroot\nnone\n"},
		{name: "open files", command: []string{"ls", "/proc/self/fd"}, stdout: "0\n1\n2\n3\n"},
		{name: "limits", options: []string{"--memory", "300M"}, command: []string{"awk", "/MemTotal/ { print $2 }", "/proc/meminfo"}, stdout: "307200\n"},
		{name: "--read-write", options: []string{"--read-write", shared}, command: []string{"sh", "-c", "cat " + shared + "/there; echo written >" + shared + "/file"}, stdout: "there\n"},
		{name: "-m host-bind", options: []string{"-m", "host-bind:/srv=" + shared}, command: []string{"cat", "/srv/there"}, stdout: "there\n"},
		{name: "-m ram", options: []string{"-m", "ram:/srv=3M"}, command: []string{"sh", "-c", "df -k --output=size /srv | tail -1 | tr -d ' '"}, stdout: "3072\n"},
		{name: "-i", options: []string{"-m", "host-bind:/srv=" + shared, "-i", "/srv/a/passwd=/etc/passwd"}, command: []string{"cmp", "/srv/a/passwd", "/etc/passwd"}},
		{name: "--root", options: []string{"-r", root}, command: []string{"sh", "-c", "cat /etc/release; ls /"}, stdout: "another system\nbin\ndev\netc\nproc\nrun\nsrv\nsys\ntmp\n"},
		{name: "--root is read-only", options: []string{"-r", root}, command: []string{"touch", "/srv/x"}, stderr: "Read-only", status: 1},
		{name: "--root -m", options: []string{"-r", root, "-m", "host-bind:/srv=" + shared}, command: []string{"cat", "/srv/there"}, stdout: "there\n"},
		{name: "--root -S", options: []string{"-r", root, "-S", "nobody"}, command: []string{"id", "-u"}, stdout: "65534\n"},
		{name: "--timeout", options: []string{"--timeout", "300ms"}, command: []string{"sleep", "1000"}, stderr: "--timeout", status: 124},
		{name: "--timeout in time", options: []string{"--timeout", "1m"}, command: []string{"true"}},
		{name: "-v", options: []string{"-v"}, command: []string{"echo", "x"}, stdout: "x\n", stderr: "private network"},
		{name: "-d", options: []string{"-d", "-S", "nobody"}, command: []string{"echo", "x"}, stdout: "x\n", stderr: "user ids from"},
	}
	t.Setenv("VST_CALLER", "x")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			command := once(append(append(c.options, "--"), c.command...)...)
			command.Stdin = strings.NewReader(c.stdin)
			o := runCommand(t, command)
			if o.status != c.status || o.stdout != c.stdout || !strings.Contains(o.stderr, c.stderr) || (c.stderr == "" && o.stderr != "") {
				t.Errorf("got %+v; want status %d, output %q, error %q", o, c.status, c.stdout, c.stderr)
			}
		})
	}
	if data, err := os.ReadFile(shared + "/file"); string(data) != "written\n" {
		t.Errorf("what was written has %q, %v", data, err)
	}
	if _, err := os.Stat("/x"); err == nil {
		t.Error("the host's root was written to")
	}
	sameAs(t, before, "after all of them")
}

// world makes a directory that everybody may write to.
func world(t *testing.T) string {
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o777)
	}
	return dir
}

// What cannot be had is refused in one line, before anything is made.
func TestOneshotRefusals(t *testing.T) {
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
		{[]string{"--disk", "data=/no/such/image", "true"}, "--disk \"data=/no/such/image\": stat /no/such/image: no such file"},
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
		{[]string{"-m", "host-bind:/no/such/dir=/tmp", "true"}, "the root has no such place"},
		{[]string{"--read-write", "/no/such/dir", "true"}, "no such file"},
		{[]string{"-i", "/srv/x=/etc/passwd", "true"}, "lies in no mount"},
		{[]string{"-r", "/etc", "true"}, "no directory dev to mount on"},
		{[]string{"-s", "static", "true"}, "-s"},
		{[]string{"--memory", "x", "true"}, "--memory"},
		{[]string{"--no-such-option", "true"}, "unknown flag"},
	}
	for _, c := range cases {
		o := runCommand(t, exec.Command(oneshot, c.args...))
		if o.status != 125 || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%q: %+v; want %q", c.args, o, c.want)
		}
	}
	nobody := exec.Command(oneshot, "true")
	nobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if path, err := exec.LookPath(oneshot); err == nil && exec.Command("runuser", "-u", "nobody", "--", "test", "-x", path).Run() == nil {
		if o := runCommand(t, nobody); o.status != 125 || !strings.Contains(o.stderr, "root is needed") {
			t.Errorf("not root: %+v", o)
		}
	}
	away := exec.Command("unshare", "-m", "sh", "-c", "mount -t tmpfs x /run/libvirt && exec "+oneshot+" true")
	if o := runCommand(t, away); o.status != 125 || !strings.Contains(o.stderr, "is libvirtd") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("without libvirtd: %+v", o)
	}
	sameAs(t, before, "after refusals")
}

// 100 MB pass through standard input to both outputs at once, and none is lost or mixed up.
func TestOneshotStreams(t *testing.T) {
	const size = 100 << 20
	sameThrough(t, once("--", "sh", "-c", "tee /dev/stderr"), size)
}

// sameThrough sends as many bytes through a command that repeats its input on both its outputs.
func sameThrough(t *testing.T, command *exec.Cmd, size int) {
	t.Helper()
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{6})
	_, _ = source.Read(data)
	out, errs := sha256.New(), sha256.New()
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(data), out, errs
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(data)
	if !bytes.Equal(out.Sum(nil), want[:]) || !bytes.Equal(errs.Sum(nil), want[:]) {
		t.Error("what came out is not what went in")
	}
}

// The caller's files are pipes inside: nobody can open them anew for what the caller may not do, or write to its terminal.
func TestOneshotFilesStayOutside(t *testing.T) {
	file := t.TempDir() + "/input"
	if err := os.WriteFile(file, []byte("kept\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	input, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	command := once("--", "sh", "-c", "readlink /proc/self/fd/0 | cut -d: -f1; echo lost >/proc/self/fd/0; ls -l /proc/*/fd | grep -c "+file)
	command.Stdin = input
	if o := runCommand(t, command); o.stdout != "pipe\n0\n" {
		t.Errorf("%+v", o)
	}
	if data, _ := os.ReadFile(file); string(data) != "kept\n" {
		t.Errorf("the caller's file has %q", data)
	}
}

// onTerminal runs virt-sandbox on a terminal and gives what a person would have.
func onTerminal(t *testing.T, rows, columns uint16, args ...string) (person *os.File, command *exec.Cmd) {
	t.Helper()
	command = once(args...)
	person, err := pty.StartWithSize(command, &pty.Winsize{Rows: rows, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		person.Close()
	})
	return person, command
}

// expect reads until a text has come.
func expect(t *testing.T, person *os.File, text string) string {
	t.Helper()
	var got bytes.Buffer
	buffer := make([]byte, 4096)
	_ = person.SetReadDeadline(time.Now().Add(20 * time.Second))
	for !strings.Contains(got.String(), text) {
		n, err := person.Read(buffer)
		got.Write(buffer[:n])
		if err != nil {
			t.Fatalf("waited for %q in vain: %q, %v", text, got.String(), err)
		}
	}
	return got.String()
}

// A command has a terminal where its caller has one: of the same size, with job control; ^C reaches it as a signal and ^]
// leaves.
func TestOneshotTerminal(t *testing.T) {
	before := snapshot(t)
	person, command := onTerminal(t, 30, 100, "sh")
	fmt.Fprint(person, "tty; stty size; echo size-$?\n")
	if got := expect(t, person, "size-0"); !strings.Contains(got, "/dev/pts/") || !strings.Contains(got, "30 100") {
		t.Errorf("the terminal says %q", got)
	}
	if err := pty.Setsize(person, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Fprint(person, "stty size; echo again-$?\n")
	if got := expect(t, person, "again-0"); !strings.Contains(got, "40 120") {
		t.Errorf("after a resize: %q", got)
	}
	fmt.Fprint(person, "sleep 1000; echo inter'rupted'-$?\n")
	time.Sleep(300 * time.Millisecond)
	fmt.Fprint(person, "\x03")
	fmt.Fprint(person, "echo alive-$((40+2))\n")
	expect(t, person, "alive-42")
	fmt.Fprint(person, "exit 9\n")
	if err := command.Wait(); command.ProcessState.ExitCode() != 9 {
		t.Errorf("exit: %v", err)
	}
	person, command = onTerminal(t, 24, 80, "-S", "nobody", "sh", "-c", "stat -c %U $(tty) && echo mine >/dev/tty; stty size")
	if got := expect(t, person, "24 80"); !strings.Contains(got, "nobody\r\nmine\r\n") {
		t.Errorf("another user's terminal says %q", got)
	}
	_ = command.Wait()
	person, command = onTerminal(t, 24, 80, "sh", "-c", "echo begun; exec sleep 1000")
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

// Two hundred leave nothing.
func TestOneshotTwoHundred(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	before := snapshot(t)
	for i := range 200 {
		if o := runCommand(t, once("true")); o.status != 0 || o.stdout+o.stderr != "" {
			t.Fatalf("number %d: %+v", i, o)
		}
	}
	sameAs(t, before, "after two hundred")
}

// One that is killed takes its sandbox with it, and the next one what it left behind, at whatever moment that was.
func TestOneshotKilled(t *testing.T) {
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
