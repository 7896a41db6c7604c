// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// -m gives a container a directory and a file of the host, writable, and a tmpfs of the size asked for; limits of the
// config reach the kernel.
func TestMountsAndLimits(t *testing.T) {
	rig.On(t, rig.Native, rig.Host, rig.VM)
	shared := t.TempDir()
	file := shared + "/file"
	if err := os.WriteFile(file, []byte("from the host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	create(t, "t-mount", "-C", "-u", "apache2",
		"-m", "host-bind:/srv/shared="+shared, "-m", "host-bind:/var/www/html/file.txt="+file, "-m", "ram:/srv/scratch=3M",
		"-m", "host-bind:/mnt/deep/shared="+shared)
	edit(t, "t-mount", "[limits]", "[limits]\nmemory=300M\ncpus=0.5")
	if selinuxRuns() {
		shell(t, "chcon -R --reference="+contentDir+"/t-mount "+shared)
	}
	must(t, "start", "t-mount")
	if got := inside(t, "t-mount", "curl -s http://localhost/file.txt"); got != "from the host\n" {
		t.Errorf("the bound file says %q", got)
	}
	inside(t, "t-mount", "echo from inside >/srv/shared/answer")
	if data, err := os.ReadFile(shared + "/answer"); string(data) != "from inside\n" {
		t.Errorf("the bound directory has %q, %v", data, err)
	}
	if got := inside(t, "t-mount", "cat /mnt/deep/shared/answer; ls /mnt"); got != "from inside\ndeep\n" {
		t.Errorf("below a directory that is hidden otherwise: %q", got)
	}
	if got := inside(t, "t-mount", "df -k --output=size /srv/scratch | tail -1"); strings.TrimSpace(got) != "3072" {
		t.Errorf("tmpfs of %s KiB", got)
	}
	inside(t, "t-mount", memoryTools)
	if got := run(t, "execute", "t-mount", "--", "perl", "-e", tooMuch); got.status != 137 || got.stdout != "" {
		t.Errorf("more memory than it may have ends with %d: %s", got.status, got.stderr)
	}
}

// edit changes a config as a person would.
func edit(t *testing.T, name, from, to string) {
	t.Helper()
	file := configDir + "/" + name + ".sandbox"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A container of a command runs it as its user, ends with it, and has a log of what it says.
func TestGenericContainer(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	before := snapshot(t)
	t.Cleanup(func() { remove(t, "t-command") })
	must(t, "create", "-U", "33", "t-command", "--", "sh", "-c",
		"id -un; echo home $HOME; ls /root; trap 'echo told to end; exit 0' TERM; while :; do sleep 0.1; done")
	must(t, "start", "t-command")
	if got := inside(t, "t-command", "pgrep -u www-data sh >/dev/null && echo yes; true"); got != "yes\n" {
		t.Errorf("the command does not run as its user: %q", got)
	}
	must(t, "stop", "t-command")
	if log := consoleOf(t, "t-command"); !strings.Contains(log, "told to end") {
		t.Errorf("the console log lacks the command's last words:\n%s", log)
	}
	remove(t, "t-command")
	sameAs(t, before, "after delete")
}

// A command that ends at once has its words in the log and its status told, every time.
func TestShortCommand(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	t.Cleanup(func() { remove(t, "t-short") })
	must(t, "create", "--username", "www-data", "t-short", "--", "sh", "-c", "echo first words of $(id -un); exit 4")
	for n := 1; n <= 8; n++ {
		run(t, "start", "t-short")
		wait(t, "its words", func() bool { return strings.Count(consoleOf(t, "t-short"), "first words of www-data\n") == n })
		wait(t, "its end", func() bool { return strings.Contains(must(t, "list"), "stopped") })
		if systemdRuns() {
			becomes(t, "virt-sandbox@t-short.service", "failed")
			if got := property(t, "virt-sandbox@t-short.service", "ExecMainStatus"); got != "4" {
				t.Errorf("its status is told as %s", got)
			}
			systemctl(t, "reset-failed", "virt-sandbox@t-short.service")
		}
	}
	if o := run(t, "create", "--username", "no-such-user", "x", "--", "true"); o.status != 2 ||
		!strings.Contains(o.stderr, "no such account") {
		t.Errorf("an account that does not exist: %+v", o)
	}
}

// The host's network is there when it is asked for.
func TestHostNetwork(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-net", "-N", "host", "-C", "-u", "dovecot")
	must(t, "start", "t-net")
	if got, want := inside(t, "t-net", "readlink /proc/self/ns/net"), shell(t, "readlink /proc/self/ns/net"); got != want {
		t.Errorf("the container is in %q, the host %q", got, want)
	}
}

// consoleOf reads what a container said on its console: where systemd runs, in its unit's journal.
func consoleOf(t *testing.T, name string) string {
	t.Helper()
	if systemdRuns() {
		return shell(t, "journalctl --sync; journalctl -o cat -u virt-sandbox@"+name)
	}
	log, err := os.ReadFile(contentDir + "/" + name + "/.virt-sandbox/console.log")
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}
