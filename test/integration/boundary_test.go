// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// TestLinkAsMountPoint: root inside that puts a link in place of a mount point has nothing mounted where it leads; the
// next start fails and names the link.
func TestLinkAsMountPoint(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	shared := t.TempDir()
	for _, c := range []struct{ name, mounts, script, link string }{
		{"directory", "host-bind:/srv/app/data=SHARED", "mv srv/app srv/old; mkdir srv/app; ln -s TO srv/app/data",
			"/srv/app/data"},
		{"parent", "host-bind:/srv/app/data=SHARED", "mv srv/app srv/old; ln -s TO srv/app", "/srv/app/data"},
		{"file", "host-bind:/srv/file=SHARED/plain", "rm srv/file; ln -s TO/new srv/file", "/srv/file"},
		{"guest-bind", "guest-bind:/srv/app=/var/tmp", "rmdir srv/app; ln -s /proc srv/app", "/srv/app"},
		{"source inside", "guest-bind:/srv/app=/var/lib/own", "rmdir var/lib/own; ln -s /proc var/lib/own", "/var/lib/own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(shared+"/plain", nil, 0o644); err != nil {
				t.Fatal(err)
			}
			outside := t.TempDir()
			createSleeper(t, "t-link", "-m", strings.Replace(c.mounts, "SHARED", shared, 1))
			must(t, "start", "t-link")
			must(t, "stop", "t-link")
			// As root inside could, with a mount namespace of its own in which nothing is mounted there.
			shell(t, "cd "+filepath.Join(contentDir, "t-link")+" && "+strings.ReplaceAll(c.script, "TO", outside))
			o := run(t, "start", "t-link")
			refused := strings.Contains(o.stderr, "leads through a symbolic link") ||
				strings.Contains(o.stderr, "path escapes from parent")
			if o.status == 0 || !refused || !strings.Contains(o.stderr, c.link) {
				t.Errorf("start: %+v", o)
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
				t.Errorf("made where the link leads: %v, %v", entries, err)
			}
			remove(t, "t-link")
		})
	}
	sameAs(t, before, "after links as mount points")
}

// createSleeper makes a sandbox of a command that does nothing, which the test's end removes.
func createSleeper(t *testing.T, name string, args ...string) {
	t.Helper()
	t.Cleanup(func() { remove(t, name) })
	must(t, slices.Concat([]string{"create"}, args, []string{name, "--", "sleep", "600"})...)
}

// TestNothingElseOfTheHost: data of the host, and sockets and pipes in them, are not there, in a container and in a
// one-shot; what is asked for is.
func TestNothingElseOfTheHost(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	dirs := []string{"/opt/t-secret", "/usr/local/t-secret", "/var/lib/t-secret", "/srv/t-secret", "/t-secret"}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.WriteFile(dir+"/file", []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		socket, err := net.Listen("unix", dir+"/socket")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { socket.Close() })
	}
	look := "for d in " + strings.Join(dirs, " ") + " /root/.ssh /home/*; do test ! -e $d || echo $d; done"
	createSleeper(t, "t-alone", "--show", "/opt/t-secret")
	createSleeper(t, "t-bare")
	must(t, "start", "t-alone", "t-bare")
	if got := inside(t, "t-bare", look); got != "" {
		t.Errorf("a container sees %q", got)
	}
	got := inside(t, "t-alone", look+"; touch /opt/t-secret/x 2>&1 | grep -o Read-only")
	if got != "/opt/t-secret\nRead-only\n" {
		t.Errorf("with --show a container sees %q", got)
	}
	remove(t, "t-alone")
	remove(t, "t-bare")
	if o := runCommand(t, once("sh", "-c", look)); o.stdout != "" || o.status != 0 {
		t.Errorf("a one-shot sees %+v", o)
	}
	if err := os.WriteFile("/etc/t-secret", []byte("secret"), 0o640); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove("/etc/t-secret") })
	for file, want := range map[string]string{
		"/etc/t-secret": "No such file", "/etc/shadow": "No such file",
		"/opt/t-secret/file": "Permission denied", "/usr/local/t-secret/file": "Permission denied",
	} {
		if o := runCommand(t, once("cat", file)); o.status != 1 || !strings.Contains(o.stderr, want) {
			t.Errorf("root in a one-shot reads %s: %+v", file, o)
		}
	}
	if o := runCommand(t, once("--show", "/opt", "sh", "-c", "cat /opt/t-secret/file")); o.stdout != "secret" {
		t.Errorf("with --show a one-shot sees %+v", o)
	}
	sameAs(t, before, "after looking around")
}
