// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"crypto/rand"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// execute passes on what a command prints and how it ends.
func TestExecute(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	create(t, "t-exec", "-C", "-u", "apache2")
	o := run(t, "execute", "t-exec", "--", "true")
	if o.status != 1 || !strings.Contains(o.stderr, "is not running") {
		t.Errorf("execute in a stopped container: %+v", o)
	}
	must(t, "start", "t-exec")
	for _, c := range []struct {
		args []string
		want outcome
	}{
		{[]string{"sh", "-c", "echo out; echo err >&2; exit 7"}, outcome{"out\n", "err\n", 7}},
		{[]string{"true"}, outcome{"", "", 0}},
		{[]string{"printf", "%s|", "a b", "", "$HOME", "c\nd", "--", "-x"}, outcome{"a b||$HOME|c\nd|--|-x|", "", 0}},
		{[]string{"no-such-command"}, outcome{"", "no-such-command: command not found\n", 127}},
		{[]string{"/etc/passwd"}, outcome{"", "/etc/passwd: permission denied\n", 126}},
		{[]string{"sh", "-c", "kill -9 $$"}, outcome{"", "", 137}},
		{[]string{"sh", "-c", "kill -15 $$"}, outcome{"", "", 143}},
		{[]string{"hostname"}, outcome{"t-exec\n", "", 0}},
		{[]string{"sh", "-c", "id -u; pwd; echo $HOME; test -t 0; echo $?"}, outcome{"0\n/\n/root\n1\n", "", 0}},
		{[]string{"sh", "-c", "readlink /proc/1/ns/* >/tmp/1; readlink /proc/self/ns/* | diff /tmp/1 -"}, outcome{"", "", 0}},
		{[]string{"sh", "-c", "exec 2>/dev/null; : </dev/tty && echo a terminal of the caller"}, outcome{"", "", 2}},
		{[]string{"sh", "-c", "setsid sleep 3 & echo gone"}, outcome{"gone\n", "", 0}},
		{[]string{"sh", "-c", "diff /proc/1/cgroup /proc/self/cgroup"}, outcome{"", "", 0}},
		{[]string{"sed", "-n", "s/^Groups:[[:space:]]*//p", "/proc/self/status"}, outcome{"\n", "", 0}},
		{[]string{"sh", "-c", "grep CapBnd /proc/1/status >/tmp/1; grep CapBnd /proc/self/status | diff /tmp/1 -"},
			outcome{"", "", 0}},
	} {
		if got := run(t, append([]string{"execute", "t-exec", "--"}, c.args...)...); got != c.want {
			t.Errorf("execute %q: got %+v, want %+v", c.args, got, c.want)
		}
	}
}

// Standard input streams with its end, binary and large, while both outputs stay apart.
func TestExecuteStreams(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	create(t, "t-stream", "-C", "-u", "apache2")
	must(t, "start", "t-stream")
	data := make([]byte, 20<<20)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "execute", "t-stream", "--", "tee", "/dev/stderr")
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(data), &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stdout.Bytes(), data) || !bytes.Equal(stderr.Bytes(), data) {
		t.Errorf("20 MiB came back as %d bytes on stdout and %d on stderr, or changed", stdout.Len(), stderr.Len())
	}
}

// A command has none of its caller's files, whatever they were opened for, and can open its streams by their names.
func TestExecuteGivesNoFile(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-files", "-C", "-u", "apache2", "--idmap", "auto")
	must(t, "start", "t-files")
	dir := t.TempDir()
	shell(t, "printf 'one\ntwo\n' >"+dir+"/in && echo kept >"+dir+"/out")
	script := `for n in 0 1 2; do readlink /proc/self/fd/$n; done; read line; echo "$line" >/dev/stdout
		echo e >/dev/stderr`
	// What the command leaves of a file is for the next reader.
	shell(t, "{ "+program+" execute t-files -- sh -c '"+script+"' >>"+dir+"/out 2>"+dir+"/err; cat >"+dir+"/rest; } <"+
		dir+"/in")
	out := shell(t, "sed 's/pipe:.*/pipe/' "+dir+"/out; cat "+dir+"/err "+dir+"/rest")
	if want := "kept\npipe\npipe\npipe\none\ne\ntwo\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if got := shell(t, program+" execute t-files -- sh -c 'yes; echo $? >&2' 2>&1 | head -n 1"); got != "y\n" {
		t.Errorf("a reader that leaves: %q", got)
	}
}

// On a terminal the command gets one of the container's, with the caller's size and resizes.
func TestConnectTerminal(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	create(t, "t-tty", "-C", "-u", "apache2")
	must(t, "start", "t-tty")
	terminal, err := pty.StartWithSize(exec.Command(program, "connect", "t-tty"), &pty.Winsize{Rows: 31, Cols: 97})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	shown := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(terminal)
		shown <- string(text)
	}()
	say := func(text string) {
		if _, err := io.WriteString(terminal, text); err != nil {
			t.Fatal(err)
		}
	}
	// The shell writes a file when it has come to the point, since what is typed shows on the terminal too.
	say("tty; stty size; hostname; touch /tmp/asked\n")
	wait(t, "the shell's answer", func() bool {
		return run(t, "execute", "t-tty", "--", "test", "-e", "/tmp/asked").status == 0
	})
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 20, Cols: 55}); err != nil {
		t.Fatal(err)
	}
	say("sleep 0.3; stty size\nexit 3\n")
	text := <-shown
	for _, want := range []string{"/dev/pts/", "31 97", "20 55", "t-tty"} {
		if !strings.Contains(text, want) {
			t.Errorf("the terminal shows no %q:\n%s", want, text)
		}
	}
}
