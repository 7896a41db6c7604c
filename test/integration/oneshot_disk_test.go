// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Disks and images in a container.
func TestOneshotDisks(t *testing.T) {
	rig.On(t, rig.Native)
	file := makeImage(t, "data.img")
	disksOf(t, map[string]string{"first": file}, func(args ...string) *exec.Cmd { return once(args...) })
	// In a user namespace, and by what is another name of the image.
	shell(t, "ln -s "+file+" "+file+".link")
	if o := runCommand(t, once("-S", "nobody", "-m", "host-image:/srv="+file+".link,format=raw", "stat", "-c", "%n %U",
		"/srv/more")); o.stdout != "/srv/more root\n" || o.status != 0 {
		t.Errorf("%+v", o)
	}
}

// The same in a virtual machine, which knows more formats.
func TestMachineDisks(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	_ = machineKernel(t)
	leavesNothing(t)
	images := map[string]string{"first": makeImage(t, "data.img"),
		"a-tag-of-more-than-twenty-characters": makeImage(t, "data.qcow2")}
	disksOf(t, images, func(args ...string) *exec.Cmd { return onceMachine(t, args...) })
}

// makeImage makes an image of the format that its name says, with nothing in it.
func makeImage(t *testing.T, name string) string {
	t.Helper()
	file, format := world(t)+"/"+name, "raw"
	if strings.HasSuffix(name, ".qcow2") {
		format = "qcow2"
	}
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", format, file, "64M").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

// disksOf has one sandbox format disks, by their tags, and others find what it put there: by the tags, as mounts, and
// at another place inside.
func disksOf(t *testing.T, images map[string]string, sandboxed func(args ...string) *exec.Cmd) {
	before := snapshot(t)
	var disks, tags, mounts []string
	for tag, file := range images {
		disks, tags = append(disks, "--disk", tag+"="+file), append(tags, tag)
		mounts = append(mounts, "-m", "host-image:/tmp/"+tag+"="+file, "-m", "guest-bind:/tmp/again/"+tag+"=/tmp/"+tag)
	}
	script := func(options []string, text string) outcome {
		t.Helper()
		o := runCommand(t, sandboxed(slices.Concat(options, []string{"--", "sh", "-ec",
			"PATH=$PATH:/sbin; for tag; do d=/dev/disk/by-tag/$tag; " + text + "; done", "sh"}, tags)...))
		if o.status != 0 {
			t.Errorf("%s: %+v", text, o)
		}
		return o
	}
	script(disks, "mkdir /tmp/$tag; echo data of $tag >/tmp/$tag/file; mkfs.ext4 -q -d /tmp/$tag $d")
	o := script(slices.Concat([]string{"-m", "ram:/tmp/again=1M"}, mounts),
		"cat /tmp/again/$tag/file; echo more of $tag >/tmp/$tag/more")
	more := script(disks, "debugfs -R 'cat /more' $d 2>/dev/null")
	for _, tag := range tags {
		if !strings.Contains(o.stdout, "data of "+tag+"\n") || !strings.Contains(more.stdout, "more of "+tag+"\n") {
			t.Errorf("%s: %q, %q", tag, o.stdout, more.stdout)
		}
	}
	// It was unmounted, and not only cut off.
	if out, err := exec.Command("dumpe2fs", "-h", images["first"]).CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "Filesystem state:         clean") || strings.Contains(string(out), "needs_recovery") {
		t.Errorf("%v: %s", err, out)
	}
	sameAs(t, before, "after disks")
}

// An image is one sandbox's alone, and a sandbox that is killed leaves none attached to the next one.
func TestOneshotDisksKilled(t *testing.T) {
	rig.On(t, rig.Native)
	mounted, disk := makeImage(t, "mounted.img"), makeImage(t, "disk.img")
	shell(t, "mkfs.ext4 -q "+mounted)
	before := snapshot(t)
	options := []string{"-m", "host-image:/srv=" + mounted, "--disk", "data=" + disk}
	first := once(slices.Concat([]string{"-n", "t-killed"}, options,
		[]string{"--", "sh", "-c", "echo begun; exec sleep 1000"})...)
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	for _, o := range [][]string{{"-m", "host-image:/srv=" + mounted}, {"--disk", "data=" + disk}} {
		if o := runCommand(t, once(append(o, "true")...)); o.status != 125 ||
			!strings.Contains(o.stderr, "is in use by t-killed") {
			t.Errorf("a second one: %+v", o)
		}
	}
	_ = first.Process.Kill()
	_ = first.Wait()
	wait(t, "the end of the sandbox", func() bool {
		return exec.Command("virsh", "-q", "-c", "lxc:///", "domid",
			"t-killed").Run() != nil
	})
	if o := runCommand(t, once(append(options, "--", "touch", "/srv/file")...)); o.status != 0 {
		t.Errorf("the next one: %+v", o)
	}
	sameAs(t, before, "after the next one")
}

// A block device of the host is a disk too.
func TestOneshotBlockDevice(t *testing.T) {
	rig.On(t, rig.Native)
	file := makeImage(t, "device.img")
	before := snapshot(t)
	device := strings.TrimSpace(shell(t, "losetup --find --show "+file))
	t.Cleanup(func() { sameAs(t, before, "after a block device") })
	t.Cleanup(func() { shell(t, "losetup --detach "+device) })
	if o := runCommand(t, once("--disk", "data="+device, "--", "sh", "-c",
		"echo written >/dev/disk/by-tag/data; ls /dev/disk/by-tag")); o.stdout != "data\n" || o.status != 0 {
		t.Errorf("%+v", o)
	}
	if o := runCommand(t, once("--disk", "data="+device, "-S", "nobody", "head", "-c8",
		"/dev/disk/by-tag/data")); o.status != 1 || !strings.Contains(o.stderr, "Permission denied") {
		t.Errorf("a user: %+v", o)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(data), "written\n") {
		t.Errorf("the device has %.20q, %v", data, err)
	}
}
