// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Each wrong request gets one line on standard error and exit status 1 or 2, and leaves nothing.
func TestRefusals(t *testing.T) {
	rig.On(t, rig.Native)
	const unowned = "/etc/systemd/system/vst-unowned.service"
	if err := os.WriteFile(unowned, []byte("[Service]\nExecStart=/bin/sleep infinity\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(unowned) })
	create(t, "t-there", "-C", "-u", "apache2")
	must(t, "start", "t-there")
	if err := os.WriteFile(configDir+"/t-broken.sandbox", []byte("[sandbox]\nformat=1\nname=t-broken\ncolour=blue\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(configDir + "/t-broken.sandbox") })
	for _, c := range []struct {
		name string
		args []string
		want string // what the line must say
	}{
		{"no such unit", []string{"create", "-u", "no-such.service", "x"}, "no such unit"},
		{"unit of no package", []string{"create", "-u", "vst-unowned.service", "x"}, "-P"},
		{"no such package", []string{"create", "-u", "apache2", "-P", "no-such-package", "x"}, "not installed"},
		{"slash in name", []string{"create", "-u", "apache2", "a/b"}, "name"},
		{"newline in name", []string{"create", "-u", "apache2", "a\nb"}, "name"},
		{"dot-dot in name", []string{"create", "-u", "apache2", ".."}, "name"},
		{"dot-dot within name", []string{"create", "-u", "apache2", "a..b"}, "name"},
		{"long name", []string{"create", "-u", "apache2", strings.Repeat("n", 65)}, "name"},
		{"empty name", []string{"create", "-u", "apache2", ""}, "name"},
		{"existing name", []string{"create", "-u", "apache2", "t-there"}, "exists already"},
		{"category too high", []string{"create", "-u", "apache2", "-l", "s0:c1024", "x"}, "c1024"},
		{"range that falls", []string{"create", "-u", "apache2", "-l", "s0:c1.c0", "x"}, "c1.c0"},
		{"sensitivity", []string{"create", "-u", "apache2", "-l", "s1", "x"}, "s1"},
		{"level and label", []string{"create", "-u", "apache2", "-l", "s0:c1", "-s", "static,label=u:r:t:s0", "x"},
			"exclude"},
		{"level of everybody", []string{"create", "-u", "apache2", "-l", "s0", "x"}, "--share-level"},
		{"dynamic label", []string{"create", "-u", "apache2", "-s", "dynamic", "x"}, "static"},
		{"label of the caller", []string{"create", "-u", "apache2", "-s", "inherit", "x"}, "static"},
		{"file type", []string{"create", "-u", "apache2", "-f", "no type", "x"}, "-f"},
		{"security option", []string{"create", "-u", "apache2", "-s", "tight", "x"}, "tight"},
		{"capability", []string{"create", "-u", "apache2", "--capabilities", "auto +CAP_TIME_TRAVEL", "x"},
			"--capabilities: \"CAP_TIME_TRAVEL\""},
		{"mount type", []string{"create", "-u", "apache2", "-m", "tape:/a=/b", "x"}, "tape"},
		{"mount without type", []string{"create", "-u", "apache2", "-m", "/srv=/data", "x"}, "mount type"},
		{"host-image source", []string{"create", "-u", "apache2", "-m", "host-image:/srv/a=/no/such.raw", "x"},
			"/no/such.raw"},
		{"host-image of a directory", []string{"create", "-u", "apache2", "-m", "host-image:/srv/a=/etc", "x"},
			"not a regular file"},
		{"host-image of a format", []string{"create", "-u", "apache2", "-m", "host-image:/srv/a=/etc/passwd,format=vmdk",
			"x"},
			"format=raw|qcow2"},
		{"guest-bind of a relative path", []string{"create", "-u", "apache2", "-m", "guest-bind:/srv/a=var/www", "x"},
			"TARGET=PATH"},
		{"guest-bind of nothing", []string{"create", "-u", "apache2", "-m", "guest-bind:/srv/a=/usr/no/such", "x"},
			"/usr/no/such"},
		{"guest-bind to nowhere", []string{"create", "-u", "apache2", "-m", "guest-bind:/usr/no/such=/srv/a", "x"},
			"/usr/no/such"},
		{"guest-bind within itself", []string{"create", "-u", "apache2", "-m", "guest-bind:/srv/a/b=/srv/a", "x"},
			"within itself"},
		{"mount below a guest-bind", []string{"create", "-u", "apache2", "-m", "guest-bind:/srv/a=/var/a", "-m",
			"ram:/srv/a/b=1M", "x"}, "out of sight"},
		{"two mounts at one place", []string{"create", "-u", "apache2", "-m", "ram:/srv/a=1M", "-m", "ram:/srv/a=2M", "x"},
			"two mounts"},
		{"ram without size", []string{"create", "-u", "apache2", "-m", "ram:/srv/a=", "x"}, "TARGET=SIZE"},
		{"image size", []string{"create", "-u", "apache2", "-i", "huge", "x"}, "-i \"huge\""},
		{"image of no size", []string{"create", "-u", "apache2", "-i", "0", "x"}, "-i \"0\""},
		{"image format", []string{"create", "-u", "apache2", "-i", "1G", "--image-format", "vmdk", "x"},
			"--image-format: \"vmdk\""},
		{"image format without image", []string{"create", "-u", "apache2", "--image-format", "raw", "x"},
			"give its size with -i"},
		{"image file system", []string{"create", "-u", "apache2", "-i", "1G", "--image-fs", "vfat", "x"},
			"--image-fs: \"vfat\""},
		{"image file system without image", []string{"create", "-u", "apache2", "--image-fs", "xfs", "x"},
			"give its size with -i"},
		{"disk without path", []string{"create", "-u", "apache2", "--disk", "db", "x"}, "TAG=PATH"},
		{"disk's tag", []string{"create", "-u", "apache2", "--disk", "a/b=/dev/loop0", "x"}, "tag \"a/b\""},
		{"disk of nothing", []string{"create", "-u", "apache2", "--disk", "db=/no/such", "x"}, "/no/such"},
		{"disk of a directory", []string{"create", "-u", "apache2", "--disk", "db=/etc", "x"},
			"neither a block device nor a regular file"},
		{"disk of a character device", []string{"create", "-u", "apache2", "--disk", "db=/dev/null", "x"},
			"neither a block device nor a regular file"},
		{"device in qcow2", []string{"create", "-u", "apache2", "--disk", "db=/dev/loop0,format=qcow2", "x"}, "which is raw"},
		{"two disks of one tag", []string{"create", "-u", "apache2", "--disk", "db=/etc/passwd", "--disk", "db=/etc/group",
			"x"}, "two disks"},
		{"one file twice", []string{"create", "-u", "apache2", "--disk", "db=/etc/passwd", "-m",
			"host-image:/srv/a=/etc/passwd", "x"}, "named twice"},
		{"mount source", []string{"create", "-u", "apache2", "-m", "host-bind:/srv=/no/such", "x"}, "/no/such"},
		{"mount point", []string{"create", "-u", "apache2", "-m", "host-bind:/usr/no/place=/srv", "x"},
			"/usr/no/place"},
		{"mount over the root", []string{"create", "-u", "apache2", "-m", "host-bind:/=/srv", "x"}, "replace"},
		{"nothing to run", []string{"create", "x"}, "-u"},
		{"unit and command", []string{"create", "-u", "apache2", "x", "--", "true"}, "not both"},
		{"content that all would see", []string{"create", "-u", "apache2", "-p", "/opt/containers", "x"}, "/opt"},
		{"one level for two", []string{"create", "-u", "apache2", "-l", "s0:c1,c2", "x", "y"}, "--share-level"},
		{"network", []string{"create", "-u", "apache2", "-N", "moon", "x"}, "moon"},
		{"config of no sense", []string{"start", "t-broken"}, "t-broken.sandbox:4: unknown key \"colour\""},
		{"delete with that config", []string{"delete", "t-broken"}, "t-broken.sandbox:4:"},
		{"delete while running", []string{"delete", "t-there"}, "stop"},
		{"start of nothing", []string{"start", "x"}, "no such sandbox"},
		{"stop of nothing", []string{"stop", "x"}, "no such sandbox"},
		{"delete of nothing", []string{"delete", "x"}, "no such sandbox"},
		{"delete of a path", []string{"delete", "../x"}, "name"},
		{"check of nothing", []string{"check", "x"}, "no such sandbox"},
		{"execute in nothing", []string{"execute", "x", "--", "true"}, "no such sandbox"},
		{"execute of nothing", []string{"execute", "t-there"}, "COMMAND"},
		{"qemu URI", []string{"-c", "qemu:///system", "create", "-u", "apache2", "x"}, "qemu:///system"},
		{"remote URI", []string{"-c", "lxc+ssh://host/", "list"}, "lxc+ssh"},
		{"unknown verb", []string{"frobnicate"}, "frobnicate"},
		{"unknown option", []string{"create", "--frobnicate", "x"}, "frobnicate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := snapshot(t)
			refused(t, run(t, c.args...), c.want)
			sameAs(t, before, "after the refusal")
		})
	}
}

// A disk that fills up while content is copied leaves nothing on it.
func TestDiskFull(t *testing.T) {
	rig.On(t, rig.Native)
	full := t.TempDir()
	if err := syscall.Mount("tmpfs", full, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(full, 0) })
	before := snapshot(t)
	refused(t, run(t, "create", "-C", "-u", "mariadb", "-p", full+"/new", "x"), "no space left")
	if files, err := os.ReadDir(full); err != nil || len(files) != 0 {
		t.Errorf("left on the disk: %v, %v", files, err)
	}
	sameAs(t, before, "after the refusal")
}

// A directory that is not a sandbox's content is neither filled nor deleted, whatever a config says.
func TestForeignContent(t *testing.T) {
	rig.On(t, rig.Native)
	foreign := t.TempDir() + "/root"
	shell(t, "mkdir -p "+foreign+"/etc && echo precious >"+foreign+"/etc/shadow")
	create(t, "t-foreign", "-C", "-u", "apache2")
	edit(t, "t-foreign", "name=t-foreign\n", "name=t-foreign\ncontent="+foreign+"\n")
	refused(t, run(t, "delete", "t-foreign"), "is not content of virt-sandbox")
	if o := run(t, "start", "t-foreign"); o.status != 1 || !strings.Contains(o.stderr, "is not content of virt-sandbox") {
		t.Errorf("start: %+v", o)
	}
	if got := shell(t, "cat "+foreign+"/etc/shadow; ls -A "+foreign); got != "precious\netc\n" {
		t.Errorf("the directory has changed: %q", got)
	}
	edit(t, "t-foreign", "content="+foreign+"\n", "")
}

// refused checks that a command said one line with the words wanted and nothing else.
func refused(t *testing.T, o outcome, want string) {
	t.Helper()
	if o.status != 1 && o.status != 2 {
		t.Errorf("exit status %d", o.status)
	}
	if o.stdout != "" || strings.Count(o.stderr, "\n") != 1 || !strings.HasPrefix(o.stderr, program+": ") {
		t.Errorf("stdout %q, stderr %q; want one line on stderr", o.stdout, o.stderr)
	}
	if !strings.Contains(o.stderr, want) {
		t.Errorf("stderr %q lacks %q", o.stderr, want)
	}
}

// Without root nothing is tried.
func TestNotRoot(t *testing.T) {
	rig.On(t, rig.Native)
	bin := t.TempDir()
	shell(t, "cp ../../bin/"+program+" "+bin+" && chmod 755 "+bin+" "+bin+"/..")
	for _, args := range [][]string{{"create", "-u", "apache2", "x"}, {"start", "x"}, {"delete", "x"},
		{"execute", "x", "--", "true"}} {
		command := exec.Command(bin+"/"+program, args...)
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		refused(t, runCommand(t, command), "root is needed")
	}
	// What configs say is for everybody to read, and what has no run is stopped. TestReaders has one that runs.
	create(t, "t-read", "-u", "apache2")
	command := exec.Command(bin+"/"+program, "list", "t-read")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if o := runCommand(t, command); o.status != 0 || !strings.Contains(o.stdout, "\nt-read  stopped") || o.stderr != "" {
		t.Errorf("list: %+v", o)
	}
}

// Without libvirtd every verb says so and changes nothing.
func TestLibvirtDown(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-down", "-C", "-u", "apache2")
	before := snapshot(t)
	for _, args := range [][]string{{"create", "-u", "apache2", "x"}, {"start", "t-down"}, {"list"},
		{"list", "-q"}, {"delete", "-p", "/srv", "x"}} {
		o := runCommand(t, withoutLibvirt(args...))
		if o.status != 1 || !strings.Contains(o.stderr, "connect to libvirt") || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%v: exit status %d, stderr %q", args, o.status, o.stderr)
		}
	}
	// What is wrong anyway is said to be that.
	for want, args := range map[string][]string{
		"no such unit": {"create", "-u", "nosuch", "x"}, "no such sandbox": {"delete", "x"},
		"t-down is not running": {"execute", "t-down", "--", "true"},
	} {
		refused(t, runCommand(t, withoutLibvirt(args...)), want)
	}
	// What was never started is stopped without asking.
	if o := runCommand(t, withoutLibvirt("stop", "t-down")); o.status != 0 || o.stderr != "" {
		t.Errorf("stop: %+v", o)
	}
	sameAs(t, before, "after verbs without libvirtd")
	// Content that a container may have, which no file tells of, stays.
	must(t, "start", "t-down")
	if o := runCommand(t, withoutLibvirt("delete", "t-down")); o.status != 1 || !strings.Contains(o.stderr,
		"connect to libvirt") {
		t.Errorf("delete of one that may be up: %+v", o)
	}
	inside(t, "t-down", "test -d /var/www/html")
	must(t, "stop", "t-down")
	if o := runCommand(t, withoutLibvirt("delete", "t-down")); o.status != 0 || o.stderr != "" {
		t.Errorf("delete of one that is down: %+v", o)
	}
}

// withoutLibvirt runs a verb in a mount namespace without libvirt's sockets and files.
func withoutLibvirt(args ...string) *exec.Cmd {
	return exec.Command("unshare", append([]string{"-m", "sh", "-c", `mount -t tmpfs none /run/libvirt && exec "$@"`, "-",
		program}, args...)...)
}

// LIBVIRT_DEFAULT_URI is honoured, and -c goes before it.
func TestDefaultURI(t *testing.T) {
	rig.On(t, rig.Native)
	command := exec.Command(program, "list")
	command.Env = append(os.Environ(), "LIBVIRT_DEFAULT_URI=qemu:///system")
	refused(t, runCommand(t, command), "qemu:///system")
	command = exec.Command(program, "-c", "lxc:///", "list")
	command.Env = append(os.Environ(), "LIBVIRT_DEFAULT_URI=qemu:///system")
	if o := runCommand(t, command); o.status != 0 {
		t.Errorf("-c lxc:/// list: %+v", o)
	}
}
