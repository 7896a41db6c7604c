// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// verbAttempts are what root inside lays for programs of the host: for a next start, a stop, a status, a command. Each
// has the container up when it begins, and may leave it in any state.
func verbAttempts() []attempt {
	return []attempt{
		{name: "stdin-of-execute", tries: "write to a file that execute was given to read", fast: true, host: stdin},
		{name: "stdout-of-execute", tries: "read a file that execute was given to append to", host: stdout},
		{name: "notify-descriptors", tries: "have the monitor keep 2,000 descriptors", host: notifyDescriptors},
		{name: "notify-forged", tries: "report a failed watchdog and another main process", host: notifyForged},
		{name: "pending-signals", tries: "use up the signals that may wait for the host's root", host: pendingSignals},
		{name: "endless-bus", tries: "have status read an endless line from the bus", fast: true, host: endlessBus},
		{name: "console-escapes", tries: "send escape sequences to who reads logs", host: consoleEscapes},
		{name: "device-by-bind", tries: "leave a disk's device for root of the host's users in a shared directory",
			host: hostBindDevice},
		{name: "set-user-id", tries: "leave a set-user-ID program of the host's root in a shared directory",
			host: setUserID},
		{name: "late-secret", tries: "read a file that only root may, made below the host's /etc after the start",
			host: lateSecret("/etc")},
		{name: "etc-passwd", tries: "write to the host's /etc/passwd by its own", host: etcPasswd},
		{name: "usr-secret", tries: "read a file below the host's /usr that only root may", host: lateSecret("/usr/share"),
			remains: everywhere("packages put none there; /usr is shown as it is")},
		{name: "private-again", tries: "remove a private path to get today's of the host at the next start",
			host: privateAgain},
		{name: "link-as-mount-point", tries: "put a link to /proc in place of a mount point for the next start", fast: true,
			host: linkAsMountPoint},
		{name: "links-in-etc", tries: "put links to /proc in place of private files for the next start", host: linksInEtc},
		{name: "deep-cgroups", tries: "hinder stop by cgroups whose paths are too long", host: deepCgroups},
		{name: "frozen", tries: "freeze itself, so that nothing ends any more", host: frozen},
		{name: "stopped", tries: "stop all its processes, and ignore every signal", host: stoppedAll},
		{name: "deep-directories", tries: "hinder delete by 20,000 directories in each other", host: deepDirectories},
	}
}

// restarted stops and starts the container; the error says what failed.
func (b *box) restarted(t *testing.T) error {
	t.Helper()
	for _, verb := range []string{"stop", "start"} {
		if r := service(t, 4*time.Minute, verb, b.name); r.status != 0 {
			return refused("%s fails: %.120s", verb, strings.TrimSpace(r.text))
		}
	}
	return nil
}

var errHeld = errors.New("held")

func stdin(t *testing.T, b *box) error {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	given, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	command := exec.Command(program, "execute", b.name, "--", "sh", "-c", "echo t-attack >/proc/self/fd/0")
	command.Stdin = given
	runFor(t, time.Minute, command)
	if text, err := os.ReadFile(file); err != nil || string(text) != "as it was" {
		return nil
	}
	return errHeld
}

func stdout(t *testing.T, b *box) error {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	given, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	var errors bytes.Buffer
	command := exec.Command(program, "execute", b.name, "--", "sh", "-c",
		"timeout 2 head -c 6 /proc/self/fd/1 >&2 </dev/null")
	command.Stdout, command.Stderr = given, &errors
	_ = command.Run()
	if strings.Contains(errors.String(), "secret") {
		return nil
	}
	return errHeld
}

// descriptorsOf counts what processes have open whose arguments have the container's name.
func (b *box) descriptorsOf() (most int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if bytes.Contains(text, []byte("virt-sandbox-service-monitor\x00")) || bytes.Contains(text, []byte("\x00"+b.name)) {
			open, _ := os.ReadDir(filepath.Join(filepath.Dir(file), "fd"))
			most = max(most, len(open))
		}
	}
	return most
}

// sendNotify sends from inside, by a program that needs only Perl.
const sendNotify = `perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); for (1..%d) { ` +
	`send(S, "%s", MSG_DONTWAIT, pack_sockaddr_un("/run/host/notify")) }'`

func notifyDescriptors(t *testing.T, b *box) error {
	before := b.descriptorsOf()
	must(t, "execute", b.name, "--", "/var/lib/"+insideProgram, "do", "send-descriptors")
	time.Sleep(time.Second)
	if b.descriptorsOf() > before+5 {
		return nil
	}
	return errHeld
}

func notifyForged(t *testing.T, b *box) error {
	b.inside(t, strings.NewReplacer("%d", "3", "%s",
		`WATCHDOG=trigger\nMAINPID=1\nERRNO=5\nBUSERROR=x\nNOTIFYACCESS=all\nREADY=1\nFDSTOREREMOVE=1`).Replace(sendNotify)+
		"; sleep 1; true")
	r := service(t, time.Minute, "status", b.name)
	if r.status != 0 || !strings.Contains(r.text, b.name) {
		return nil
	}
	return errHeld
}

// pendingSignals makes a timer on the host, for which a signal has to wait.
func pendingSignals(t *testing.T, b *box) error {
	command := exec.Command(program, "execute", b.name, "--", "/var/lib/"+insideProgram, "do", "fill-signals")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Wait() }()
	if n, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatalf("root inside has filled nothing: %d, %v", n, err)
	}
	var timer int32
	if err := call(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&timer))); err != nil {
		return nil
	}
	return errors.Join(call(unix.SYS_TIMER_DELETE, uintptr(timer)), errHeld)
}

func endlessBus(t *testing.T, b *box) error {
	b.inside(t, `cat >/var/lib/endless.pl <<'END'
use Socket; $SIG{PIPE} = "IGNORE"; my $x = "x" x 65536;
for my $path ("/run/dbus/system_bus_socket", "/run/systemd/private") { next if fork; unlink $path;
socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un($path)); listen(S, 9);
while (accept(C, S)) { next if fork; while (syswrite(C, $x)) {} exit } }
END
setsid perl /var/lib/endless.pl >/dev/null 2>&1 </dev/null & sleep 1`)
	r := service(t, time.Minute, "status", b.name)
	if r.timeout || r.took > 30*time.Second || r.peak > 400<<20 {
		return nil
	}
	return errHeld
}

func consoleEscapes(t *testing.T, b *box) error {
	b.inside(t, `printf '\033]0;OWNED\007\n<0>t-attack\n' >/dev/console; `+
		`logger -t attack "$(printf '\033]0;OWNED\007')"; sleep 1`)
	r := service(t, time.Minute, "logs", b.name)
	if strings.Contains(r.text, "\x1b]0;OWNED") {
		return nil
	}
	return errHeld
}

// sharing is a container beside this one that shares a directory of the host.
func (b *box) sharing(t *testing.T) (*box, string) {
	dir, err := os.MkdirTemp("/srv", "t-attack")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	other := &box{name: b.name + "-shares", wall: b.wall, options: b.options}
	other.create(t, "-m", "host-bind:/srv/shared="+dir)
	must(t, "start", other.name)
	return other, dir
}

func hostBindDevice(t *testing.T, b *box) error {
	other, dir := b.sharing(t)
	other.inside(t, "mknod /srv/shared/disk b 259 0; chmod 666 /srv/shared/disk; true")
	if info, err := os.Lstat(dir + "/disk"); err == nil && info.Mode()&os.ModeDevice != 0 {
		return nil
	}
	return errHeld
}

// lateSecret has root of the host make a file while the container is up.
func lateSecret(dir string) func(*testing.T, *box) error {
	return func(t *testing.T, b *box) error {
		file := dir + "/t-attack-late"
		if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(file) })
		if r := service(t, time.Minute, "execute", b.name, "--", "cat", file); r.status == 0 {
			return nil
		}
		return errHeld
	}
}

// etcPasswd: what root inside writes, moves and removes in its /etc is its own, also after a restart.
func etcPasswd(t *testing.T, b *box) error {
	const look = "md5sum /etc/passwd /etc/issue; ls -d /etc/default"
	before := shell(t, look)
	b.inside(t, "echo owned:x:0:0::/:/bin/sh >>/etc/passwd; sed -i s/^/x/ /etc/issue; mv /etc/default /etc/default2; true")
	err := b.restarted(t)
	if shell(t, look) != before {
		return nil
	}
	return errors.Join(err, errHeld)
}

func privateAgain(t *testing.T, b *box) error {
	const secret = "/var/log/apache2/t-attack-later"
	if err := os.MkdirAll("/var/log/apache2", 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(secret) })
	b.inside(t, "rm -rf /var/log/apache2")
	err := b.restarted(t)
	if r := service(t, time.Minute, "execute", b.name, "--", "cat", secret); r.status == 0 {
		return nil
	}
	return errors.Join(err, errHeld)
}

func linkAsMountPoint(t *testing.T, b *box) error {
	other, dir := b.sharing(t)
	must(t, "stop", other.name)
	shell(t, "cd "+other.dir()+"/srv && rmdir shared && ln -s /proc shared")
	r := service(t, time.Minute, "start", other.name)
	if mounts := shell(t, "cat /proc/mounts"); strings.Contains(mounts, dir) {
		return nil
	}
	if r.status == 0 {
		got := other.inside(t, "readlink /proc/self/exe; cat /proc/1/status | grep CapEff")
		if strings.Contains(got, "ffffffff") {
			return nil
		}
	}
	return errHeld
}

func linksInEtc(t *testing.T, b *box) error {
	b.inside(t, "cd /etc/apache2 && mv conf-enabled x && ln -s /proc/1/root conf-enabled; rm -rf /var/run /var/log; "+
		"ln -s /proc/thread-self/attr /var/run; ln -s /run/host /var/log; true")
	started := b.restarted(t)
	for _, file := range []string{"/run/virt-sandbox/" + b.name + "/guest"} {
		names, _ := os.ReadDir(file)
		for _, n := range names {
			if strings.Contains(n.Name(), "apache") || n.Name() == "journal" {
				return nil
			}
		}
	}
	if started != nil {
		// It does not start like that: root inside has ended its own container.
		shell(t, "cd "+b.dir()+"/var && rm -f run log && ln -s /run run && mkdir -p log/apache2")
		must(t, "start", b.name)
	}
	return errHeld
}

func deepCgroups(t *testing.T, b *box) error {
	b.inside(t, `perl -e 'for my $top (glob("/sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup")) { `+
		`chdir $top or next; for (1..60) { mkdir "x" x 200 or last; chdir "x" x 200 or last } `+
		`chdir $top; mkdir "y$_" for 1..500; mkdir "\033[31m" }'; true`)
	r := service(t, 3*time.Minute, "stop", b.name)
	left := shell(t, "find /sys/fs/cgroup -name '*"+b.name+"*' | head -3")
	if r.status != 0 || r.took > 2*time.Minute || left != "" {
		t.Logf("stop: %+v, left: %s", r, left)
		return nil
	}
	must(t, "start", b.name)
	return errHeld
}

func frozen(t *testing.T, b *box) error {
	service(t, 20*time.Second, "execute", b.name, "--", "sh", "-c",
		"for f in /sys/fs/cgroup/cgroup.freeze /sys/fs/cgroup/unified/cgroup.freeze /sys/fs/cgroup/*/cgroup.freeze; do "+
			"test -e $f && echo 1 >$f; done; for f in /sys/fs/cgroup/freezer/freezer.state "+
			"/sys/fs/cgroup/freezer/x/freezer.state; do mkdir -p $(dirname $f); echo 1 >$(dirname $f)/cgroup.procs; "+
			"echo FROZEN >$f; done; true")
	return b.ends(t)
}

func stoppedAll(t *testing.T, b *box) error {
	service(t, 20*time.Second, "execute", b.name, "--", "sh", "-c",
		`for i in $(seq 40); do setsid perl -e '$SIG{$_} = "IGNORE" for keys %SIG; sleep 1 while 1' & done; kill -STOP -1`)
	return b.ends(t)
}

// ends stops the container, which has to end in time, and starts it again.
func (b *box) ends(t *testing.T) error {
	t.Helper()
	r := service(t, 4*time.Minute, "stop", b.name)
	if r.status != 0 || r.timeout {
		t.Logf("stop: %+v", r)
		return nil
	}
	must(t, "start", b.name)
	return errHeld
}

func deepDirectories(t *testing.T, b *box) error {
	other := &box{name: b.name + "-deep", wall: b.wall, options: b.options}
	other.create(t)
	must(t, "start", other.name)
	other.inside(t, `perl -e 'chdir "/var/lib"; for (1..20000) { mkdir "d" or last; chdir "d" or last }'; true`)
	must(t, "stop", other.name)
	r := service(t, 2*time.Minute, "delete", other.name)
	if _, err := os.Lstat(other.dir()); r.status != 0 || !errors.Is(err, unix.ENOENT) {
		t.Logf("delete: %+v", r)
		return nil
	}
	return errHeld
}
