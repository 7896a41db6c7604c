// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// sandboxedCommand is a command in a sandbox, and what comes of it.
type sandboxedCommand struct {
	name    string
	options []string
	command []string
	stdin   string
	stdout  string // whole
	stderr  string // a part
	status  int
	brief   bool // it is among those that stand for all where there is no time for all
}

// check runs it in a sandbox that a command line is made for.
func (c sandboxedCommand) check(t *testing.T, sandboxed func(args ...string) *exec.Cmd) {
	t.Helper()
	command := sandboxed(append(append(c.options, "--"), c.command...)...)
	command.Env = append(os.Environ(), "VST_CALLER=x")
	command.Stdin = strings.NewReader(c.stdin)
	o := runCommand(t, command)
	if o.status != c.status || o.stdout != c.stdout || !strings.Contains(o.stderr, c.stderr) ||
		(c.stderr == "" && o.stderr != "") {
		t.Errorf("got %+v; want status %d, output %q, error %q", o, c.status, c.stdout, c.stderr)
	}
}

// everySandbox are commands of which the same comes in all kinds of sandboxes. The host must be as before when all have
// run.
func everySandbox(t *testing.T) []sandboxedCommand {
	t.Helper()
	root, musl, shared := busyboxRoot(t), muslRoot(t), t.TempDir()
	if err := os.WriteFile(shared+"/there", []byte("there\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	script := shared + "/script"
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if data, err := os.ReadFile(shared + "/file"); string(data) != "written\n" {
			t.Errorf("what was written has %q, %v", data, err)
		}
		for _, file := range []string{"/x", root + "/srv/x"} {
			if _, err := os.Lstat(file); err == nil {
				t.Errorf("%s was made on the host", file)
			}
		}
	})
	return []sandboxedCommand{
		{name: "exit 0", command: []string{"/bin/true"}},
		{name: "exit 1", command: []string{"/bin/false"}, status: 1},
		{name: "exit 7", brief: true, command: []string{"sh", "-c", "exit 7"}, status: 7},
		{name: "exit 255", command: []string{"sh", "-c", "exit 255"}, status: 255},
		{name: "not found", brief: true, command: []string{"no-such-command"}, stderr: "no-such-command: command not found",
			status: 127},
		{name: "no such path", command: []string{"/no/such/command"}, stderr: "/no/such/command: command not found",
			status: 127},
		{name: "not executable", command: []string{"/etc/passwd"}, stderr: "permission denied", status: 126},
		{name: "a directory", command: []string{"/etc"}, stderr: "permission denied", status: 126},
		{name: "no interpreter", options: []string{"--read-write", shared}, command: []string{script}, stderr: "no such file",
			status: 127},
		{name: "SIGKILL", command: []string{"sh", "-c", "kill -9 $$"}, status: 128 + 9},
		{name: "SIGTERM", command: []string{"sh", "-c", "kill $$"}, status: 128 + 15},
		{name: "SIGSEGV", command: []string{"sh", "-c", "kill -SEGV $$"}, status: 128 + 11},
		{name: "stdout", command: []string{"echo", "a", "b c"}, stdout: "a b c\n"},
		{name: "stderr", command: []string{"sh", "-c", "echo out; echo err >&2"}, stdout: "out\n", stderr: "err\n"},
		{name: "stdin", command: []string{"cat"}, stdin: "in\nno newline", stdout: "in\nno newline"},
		{name: "empty stdin", command: []string{"wc", "-c"}, stdout: "0\n"},
		{name: "binary", brief: true, command: []string{"od", "-An", "-c"}, stdin: "\x00\x1d\xff\r\n",
			stdout: "  \\0 035 377  \\r  \\n\n"},
		{name: "unread stdin", command: []string{"true"}, stdin: strings.Repeat("x", 1<<20)},
		{name: "no terminal", command: []string{"tty"}, stdout: "not a tty\n", status: 1},
		{name: "a child that stays", command: []string{"sh", "-c", "sleep 1000 & echo gone"}, stdout: "gone\n"},
		{name: "arguments", command: []string{"printf", "%s|", "", "a b", "$x", "-c", "*"},
			stdout: "|a b|$x|-c|*|"},
		{name: "env", options: []string{"-e", "A=b=c", "-e", "EMPTY="},
			command: []string{"sh", "-c", `echo "$A,${EMPTY-unset},${EMPTY:-empty}"`}, stdout: "b=c,,empty\n"},
		{name: "nothing of the caller's environment", command: []string{"sh", "-c", "echo ${VST_CALLER-unset}"},
			stdout: "unset\n"},
		{name: "PATH", options: []string{"-e", "PATH=" + shared + ":/bin", "--read-write", shared},
			command: []string{"sh", "-c", "echo $PATH"}, stdout: shared + ":/bin\n"},
		{name: "PATH without", options: []string{"-e", "PATH=/nowhere"}, command: []string{"true"},
			stderr: "command not found", status: 127},
		{name: "root", command: []string{"sh", "-c", "id -u; echo $HOME $USER; pwd"}, stdout: "0\n/root root\n/root\n"},
		{name: "-S", brief: true, options: []string{"-S", "nobody"}, command: []string{"id"},
			stdout: "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n"},
		{name: "-S may not", options: []string{"-S", "nobody"}, command: []string{"cat", "/etc/shadow"},
			stderr: "cat: /etc/shadow: ", status: 1},
		{name: "host file", brief: true, command: []string{"sh", "-c", "echo x >>/usr/bin/env"},
			stderr: "Read-only file system", status: 2},
		{name: "host root", command: []string{"touch", "/x"}, stderr: "Read-only file system", status: 1},
		{name: "tmp", command: []string{"sh", "-c", "ls -A /tmp; touch /tmp/x && stat -f -c %T /tmp"}, stdout: "tmpfs\n"},
		{name: "hostname", options: []string{"-n", "t-once"}, command: []string{"hostname"}, stdout: "t-once\n"},
		{name: "open files", command: []string{"ls", "/proc/self/fd"}, stdout: "0\n1\n2\n3\n"},
		{name: "--read-write", brief: true, options: []string{"--read-write", shared},
			command: []string{"sh", "-c", "cat " + shared + "/there; echo written >" + shared + "/file"}, stdout: "there\n"},
		{name: "-m host-bind", options: []string{"-m", "host-bind:/srv=" + shared}, command: []string{"cat", "/srv/there"},
			stdout: "there\n"},
		{name: "-m ram", options: []string{"-m", "ram:/srv=3M"}, command: []string{"sh", "-c",
			"df -k --output=size /srv | tail -1 | tr -d ' '"}, stdout: "3072\n"},
		{name: "-i", options: []string{"-m", "host-bind:/srv=" + shared, "-i", "/srv/a/passwd=/etc/passwd"},
			command: []string{"cmp", "/srv/a/passwd", "/etc/passwd"}},
		{name: "--root", options: []string{"-r", root}, command: []string{"sh", "-c", "cat /etc/release; ls /"},
			stdout: "another system\nbin\ndev\netc\nproc\nrun\nsrv\nsys\ntmp\n"},
		{name: "--root is read-only", options: []string{"-r", root}, command: []string{"touch", "/srv/x"},
			stderr: "Read-only",
			status: 1},
		{name: "--root -m", options: []string{"-r", root, "-m", "host-bind:/srv=" + shared},
			command: []string{"cat", "/srv/there"}, stdout: "there\n"},
		{name: "--root -S", options: []string{"-r", root, "-S", "nobody"}, command: []string{"id", "-u"}, stdout: "65534\n"},
		{name: "--timeout", options: []string{"--timeout", "300ms"}, command: []string{"sleep", "1000"},
			stderr: "--timeout", status: 124},
		{name: "--timeout in time", options: []string{"--timeout", "1m"}, command: []string{"true"}},
		{name: "network", brief: true, command: []string{"sh", "-c", "ip -o addr | cut -d' ' -f2 | sort -u"}, stdout: "lo\n"},
		{name: "another libc", brief: true, options: []string{"-r", musl}, command: []string{"libc"},
			stdout: "/lib/ld-musl-x86_64.so.1\n"},
		{name: "another libc -S", options: []string{"-r", musl, "-S", "nobody"}, command: []string{"libc"},
			stdout: "/lib/ld-musl-x86_64.so.1\n"},
	}
}

// busyboxRoot makes a tree with another system in it: busybox, and what the host lacks.
func busyboxRoot(t *testing.T) string {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("busybox-static is not installed: %v", err)
	}
	root := makeRoot(t, "bin", "etc", "srv")
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

// muslRoot makes a tree with another libc than the host's, and nothing else but a program that says which one it has.
func muslRoot(t *testing.T) string {
	t.Helper()
	root := makeRoot(t, "bin", "lib")
	source := `#include <stdio.h>
#include <string.h>
int main(void) {
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps)) {
		char *file = strchr(line, '/');
		if (file && strncmp(file, "/lib/", 5) == 0) { printf("%s", file); return 0; }
	}
	return 1;
}
`
	file := filepath.Join(t.TempDir(), "libc.c")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	shell(t, "musl-gcc -o "+root+"/bin/libc "+file+" && cp -L /lib/ld-musl-x86_64.so.1 "+root+"/lib")
	return root
}

// makeRoot makes a tree that can be a sandbox's root, with more directories.
func makeRoot(t *testing.T, more ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range append(more, "dev", "proc", "run", "sys", "tmp") {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Chmod(filepath.Dir(root), 0o755)
	return root
}

// world makes a directory that everybody may write to.
func world(t *testing.T) string {
	dir := t.TempDir()
	for d := dir; d != filepath.Clean(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o777)
	}
	return dir
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

// onTerminal runs a command on a terminal and gives what a person would have.
func onTerminal(t *testing.T, rows, columns uint16, command *exec.Cmd) (person *os.File) {
	t.Helper()
	person, err := pty.StartWithSize(command, &pty.Winsize{Rows: rows, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		person.Close()
	})
	return person
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

// terminalOf looks at the terminal that a shell in a sandbox has.
func terminalOf(t *testing.T, shell *exec.Cmd) {
	t.Helper()
	person := onTerminal(t, 30, 100, shell)
	fmt.Fprint(person, "tty; stty size; echo size-$?\n")
	if got := expect(t, person, "size-0"); !strings.Contains(got, "/dev/pts/") || !strings.Contains(got, "30 100") {
		t.Errorf("the terminal says %q", got)
	}
	if err := pty.Setsize(person, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	// Nothing orders what is typed and the size.
	fmt.Fprint(person, "until stty size | grep '40 120'; do sleep .1; done; echo again-$?\n")
	expect(t, person, "again-0")
	fmt.Fprint(person, "sleep 1000; echo inter'rupted'-$?\n")
	time.Sleep(300 * time.Millisecond)
	fmt.Fprint(person, "\x03")
	fmt.Fprint(person, "echo alive-$((40+2))\n")
	expect(t, person, "alive-42")
	fmt.Fprint(person, "exit 9\n")
	if err := shell.Wait(); shell.ProcessState.ExitCode() != 9 {
		t.Errorf("exit: %v", err)
	}
}
