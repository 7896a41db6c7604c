// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A container whose content is in an image serves, keeps what is written over a restart, and cannot use more of the
// host's disk than the image has; nothing of the image is mounted while it is down.
func TestImage(t *testing.T) {
	rig.On(t, rig.Native)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"ext4", []string{"-i", "200"}},
		{"xfs", []string{"-i", "400M", "--image-fs", "xfs"}},
		{"ids of its own", []string{"--image", "200", "--idmap", "auto"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "xfs" {
				needProgram(t, "mkfs.xfs")
			}
			before := snapshot(t)
			file := imageDir + "/t-image.raw"
			t.Cleanup(func() { remove(t, "t-image") })
			said := must(t, append(append([]string{"create", "-C", "-u", "apache2"}, c.args...), "t-image")...)
			if !strings.HasPrefix(said, "Created sandbox container image "+file+"\n") {
				t.Errorf("create says %q", said)
			}
			size, used := sizeOf(t, file)
			if want := map[string]int64{"xfs": 400 << 20}[c.name]; want != 0 && size != want || want == 0 && size != 200000000 {
				t.Errorf("the image has %d bytes", size)
			}
			if used > size/2 {
				t.Errorf("it takes %d of %d bytes before anything is in it", used, size)
			}
			down := attached(t)
			must(t, "start", "t-image")
			if got := inside(t, "t-image", "curl -s http://localhost/ | grep -c '<html'"); got != "1\n" {
				t.Errorf("it serves %q", got)
			}
			inside(t, "t-image", "echo kept >/var/www/html/kept; chown www-data /var/www/html/kept")
			if data, err := os.ReadFile(contentDir + "/t-image/var/www/html/kept"); string(data) != "kept\n" {
				t.Errorf("on the host it says %q, %v", data, err)
			}
			if journals := shell(t, "id="+valueOf(t, "t-image", "machine-id")+
				"; ls /var/log/journal/$id/ || ls /run/log/journal/$id/"); !strings.Contains(journals, ".journal") {
				t.Errorf("its journal is not among the host's: %q", journals)
			}
			if got := inside(t, "t-image", "dd if=/dev/zero of=/var/big bs=1M 2>&1 | grep -c 'No space "+
				"left'; true"); got != "1\n" {
				t.Errorf("the disk of the container has no end: %q", got)
			}
			if now, used := sizeOf(t, file); now != size || used > size+(1<<20) {
				t.Errorf("full, the image has %d bytes and takes %d", now, used)
			}
			inside(t, "t-image", "rm /var/big")
			refused(t, run(t, "delete", "t-image"), "is running")
			must(t, "stop", "t-image")
			if now := attached(t); now != down {
				t.Errorf("after the stop: %s", now)
			}
			if entries, err := os.ReadDir(contentDir + "/t-image"); err == nil && len(entries) != 0 {
				t.Errorf("below the mount point: %v", entries)
			}
			must(t, "check", "t-image")
			if now := attached(t); now != down {
				t.Errorf("after a check: %s", now)
			}
			must(t, "start", "t-image")
			if got := inside(t, "t-image", "curl -s http://localhost/kept; stat -c %U "+
				"/var/www/html/kept"); got != "kept\nwww-data\n" {
				t.Errorf("after a restart: %q", got)
			}
			must(t, "stop", "t-image")
			must(t, "delete", "t-image")
			sameAs(t, before, "after delete")
		})
	}
}

// Containers with images at once, started side by side, each have their own; one that ends takes its image off the host
// though the others run on.
func TestImagesSideBySide(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	names := []string{"t-image-1", "t-image-2", "t-image-3"}
	started := make(chan outcome, len(names))
	for _, name := range names {
		create(t, name, "-C", "-u", "apache2", "-i", "100")
	}
	for _, name := range names {
		go func() { started <- run(t, "start", name) }()
	}
	for range names {
		if o := <-started; o.status != 0 {
			t.Errorf("start: %+v", o)
		}
	}
	for _, name := range names {
		inside(t, name, "hostname >/var/www/html/name")
	}
	for i, name := range names {
		if got := inside(t, name, "curl -s http://localhost/name"); got != name+"\n" {
			t.Errorf("%s has the page of %q", name, got)
		}
		must(t, "stop", name)
		left := shell(t, "cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c '"+imageDir+"/t-image-' || true")
		if got := strings.TrimSpace(left); got != strconv.Itoa(len(names)-1-i) {
			t.Errorf("%s loop devices when %d are down", got, i+1)
		}
	}
	for _, name := range names {
		must(t, "delete", name)
	}
	sameAs(t, before, "after delete")
}

// All kinds of mounts, and disks by their tags, are seen inside, and in no other container; with ids of its own too.
func TestImageMounts(t *testing.T) {
	rig.On(t, rig.Native)
	for _, c := range []struct {
		name string
		args []string
	}{{"plain", nil}, {"ids of its own", []string{"--idmap", "auto"}}} {
		t.Run(c.name, func(t *testing.T) {
			// In the directory of images, where SELinux policies let libvirt open files.
			dir := imageDir + "/t-disks"
			shell(t, "mkdir -p "+dir)
			t.Cleanup(func() { os.RemoveAll(dir) })
			data, disk, disk2 := filepath.Join(t.TempDir(), "data.raw"), dir+"/disk one.raw", dir+"/disk2.raw"
			shell(t, "truncate -s 32M '"+data+"' '"+disk+"' '"+disk2+"'")
			makeExt4(t, data)
			before := snapshot(t)
			args := append([]string{"-C", "-u", "apache2"}, c.args...)
			create(t, "t-mounts", append(args, "-m", "host-image:/srv/data="+data, "-m", "guest-bind:/srv/www=/var/www/html",
				"-m", "guest-bind:/srv/env=/usr/bin/env", "-m", "guest-bind:/var/new=/srv/new", "-m", "ram:/srv/scratch=3M",
				"--disk", "db="+disk, "--disk", "log.2="+disk2)...)
			create(t, "t-others", args...)
			must(t, "start", "t-mounts")
			must(t, "start", "t-others")
			for _, question := range []struct{ script, want string }{
				{"echo x >/srv/data/file; stat -f -c %T /srv/data; ls /srv/data", "ext2/ext3\nfile\nlost+found"},
				{"echo seen >/var/www/html/page; cat /srv/www/page; curl -s localhost/page", "seen\nseen"},
				{"cmp /srv/env /usr/bin/env && (echo x >>/srv/env) 2>&1 | grep -c -i -e read-only -e denied", "1"},
				{"echo y >/srv/new/f; cat /var/new/f", "y"},
				{"df -k --output=size /srv/scratch | tail -1", "3072"},
				{"readlink /dev/disk/by-tag/*; ls /dev/sd*", "../../sda\n../../sdb\n/dev/sda\n/dev/sdb"},
				{"printf written >/dev/disk/by-tag/db; sync; head -c 7 /dev/disk/by-tag/db", "written"},
				// The device must stay the container's: its number could be another's next.
				{"losetup -d /dev/sda 2>/dev/null; printf again >/dev/sda && head -c 5 /dev/sda; printf written >/dev/sda",
					"again"},
				{"mkfs.ext4 -q /dev/disk/by-tag/log.2 && dumpe2fs -h /dev/disk/by-tag/log.2 2>/dev/null | grep -c clean", "1"},
				{"mknod /dev/other b 7 7 2>&1 | grep -c permitted", "1"},
				{"systemctl --failed --no-legend --plain", ""},
			} {
				if got := strings.TrimSpace(inside(t, "t-mounts", question.script+"; true")); got != question.want {
					t.Errorf("%s\nsays %q, want %q", question.script, got, question.want)
				}
			}
			if got := inside(t, "t-others", "ls /dev/sd* /dev/disk 2>/dev/null; ls /srv; grep -c -e '"+data+
				"' -e images-t-mounts /proc/self/mountinfo; true"); got != "0\n" {
				t.Errorf("another container sees %q", got)
			}
			must(t, "stop", "t-mounts")
			if got := shell(t, "head -c 7 '"+disk+"'"); got != "written" {
				t.Errorf("the disk's file says %q", got)
			}
			if loops := shell(t, "cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c -F -e '"+data+"' -e "+dir+
				" || true"); strings.TrimSpace(loops) != "0" {
				t.Errorf("%s loop devices are left", loops)
			}
			must(t, "stop", "t-others")
			must(t, "start", "t-mounts")
			if got := inside(t, "t-mounts", "cat /srv/data/file"); got != "x\n" {
				t.Errorf("after a restart the image has %q", got)
			}
			must(t, "stop", "t-mounts")
			must(t, "delete", "t-mounts")
			must(t, "delete", "t-others")
			sameAs(t, before, "after delete")
		})
	}
}

// What root inside makes of the places of guest-binds shows it nothing that it could not see anyway.
func TestGuestBindStaysInside(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-bind", "-C", "-u", "apache2", "-m", "guest-bind:/srv/seen=/srv/shown")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("host's\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/.oldroot/" + filepath.Dir(secret), "/proc/1/root", "/../../../etc", "/mnt"} {
		must(t, "start", "t-bind")
		inside(t, "t-bind", "mount | grep -c /srv/seen")
		must(t, "stop", "t-bind")
		shell(t, "rm -rf "+contentDir+"/t-bind/srv/shown && ln -s '"+target+"' "+contentDir+"/t-bind/srv/shown")
		if o := run(t, "start", "t-bind"); o.status == 0 {
			if got := inside(t, "t-bind", "ls -A /srv/seen/ 2>/dev/null | grep -c -x -e secret -e work; cat /srv/seen/shadow "+
				"2>/dev/null | cut -d: -f2 | grep -v '*'; true"); got != "0\n" {
				t.Errorf("linked to %s it sees %q", target, got)
			}
			must(t, "stop", "t-bind")
		}
		shell(t, "rm "+contentDir+"/t-bind/srv/shown && mkdir "+contentDir+"/t-bind/srv/shown")
	}
}

// The blocks of a file are one container's alone: another that names them is refused before anything of it runs.
func TestImageInUse(t *testing.T) {
	rig.On(t, rig.Native)
	data := filepath.Join(t.TempDir(), "data.raw")
	link := filepath.Join(t.TempDir(), "other-name")
	shell(t, "truncate -s 32M "+data+" && ln -s "+data+" "+link)
	makeExt4(t, data)
	create(t, "t-first", "-C", "-u", "apache2", "-m", "host-image:/srv/data="+data)
	create(t, "t-second", "-C", "-u", "apache2", "--disk", "db="+link)
	must(t, "start", "t-first")
	before := snapshot(t)
	failed := func(want string) {
		t.Helper()
		if o := run(t, "start", "t-second"); o.status != 1 || !strings.Contains(o.stderr, want) {
			t.Errorf("start: %+v, want %q", o, want)
		}
		sameAs(t, before, "after the refusal")
	}
	failed("disk db of t-second: " + link + " is in use by t-first, as the mount at /srv/data; stop that first")
	must(t, "stop", "t-first")
	before = snapshot(t)
	mnt := t.TempDir()
	shell(t, "mount -o loop "+data+" "+mnt)
	before = snapshot(t)
	failed("in use by the mount at " + mnt)
	shell(t, "umount "+mnt)
	down := attached(t)
	must(t, "start", "t-second")
	must(t, "stop", "t-second")
	if now := attached(t); now != down {
		t.Errorf("after the stop: %s", now)
	}

	device := strings.TrimSpace(shell(t, "losetup --find --show "+data))
	t.Cleanup(func() { shell(t, "losetup -d "+device+" || true") })
	shell(t, "mount "+device+" "+mnt)
	t.Cleanup(func() { _ = syscall.Unmount(mnt, 0) })
	edit(t, "t-second", "disk=db="+link, "disk=db="+device)
	before = snapshot(t)
	failed(device + " is in use by the host")
	shell(t, "umount "+mnt)
	must(t, "start", "t-second")
	if got := inside(t, "t-second", "blockdev --getsize64 /dev/disk/by-tag/db"); got != strconv.Itoa(32<<20)+"\n" {
		t.Errorf("the block device has %s bytes", got)
	}
}

// A file that lies where an image would be made, and one in place of an image, stay as they are.
func TestForeignImage(t *testing.T) {
	rig.On(t, rig.Native)
	file := imageDir + "/t-foreign.raw"
	shell(t, "mkdir -p "+imageDir+" && echo precious >"+file)
	t.Cleanup(func() { os.Remove(file) })
	before := snapshot(t)
	refused(t, run(t, "create", "-u", "apache2", "-i", "50", "t-foreign"), file+" exists already")
	sameAs(t, before, "after the refusal")
	if got := shell(t, "cat "+file); got != "precious\n" {
		t.Errorf("the file says %q", got)
	}
	os.Remove(file)
	create(t, "t-foreign", "-C", "-u", "apache2", "-i", "50")
	shell(t, "mv "+file+" "+file+".away && truncate -s 32M "+file)
	makeExt4(t, file)
	mnt := t.TempDir()
	shell(t, "mount -o loop "+file+" "+mnt+" && echo precious >"+mnt+"/file && umount "+mnt)
	refused(t, run(t, "delete", "t-foreign"), "is not content of virt-sandbox")
	if o := run(t, "start", "t-foreign"); o.status != 1 || !strings.Contains(o.stderr, "is not content of virt-sandbox") {
		t.Errorf("start: %+v", o)
	}
	shell(t, "rm "+file)
	if o := run(t, "start", "t-foreign"); o.status != 1 || !strings.Contains(o.stderr,
		"the image of t-foreign at "+file+" is gone") {
		t.Errorf("start without it: %+v", o)
	}
	shell(t, "echo not a file system >"+file)
	refused(t, run(t, "delete", "t-foreign"), "remove "+file+" by hand")
	shell(t, "mv "+file+".away "+file)
	must(t, "start", "t-foreign")
}

// A config that somebody wrote gets its image at the first start; and what the host has no room for is told as that.
func TestImageOfConfig(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	unmounted := false
	unmount := func() {
		if !unmounted {
			_ = syscall.Unmount(small, 0)
			unmounted = true
		}
	}
	t.Cleanup(unmount)
	config := configDir + "/t-written.sandbox"
	t.Cleanup(func() { remove(t, "t-written") })
	write := func(image string) {
		t.Helper()
		shell(t, "mkdir -p "+configDir)
		text := fmt.Sprintf("[sandbox]\nformat=1\nname=t-written\nunit=mariadb.service\ncopy=yes\nimage=%s\n"+
			"image-size=400M\n",
			image)
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(small + "/db.raw")
	if o := run(t, "start", "t-written"); o.status != 1 || !strings.Contains(o.stderr,
		"no space left on the file system of "+small) {
		t.Errorf("start without room: %+v", o)
	}
	if loops := shell(t, "cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c db.raw || true"); loops != "0\n" {
		t.Errorf("%s loop devices are left", loops)
	}
	must(t, "delete", "t-written")
	unmount()
	sameAs(t, before, "after delete")
	file := filepath.Join(t.TempDir(), "db.raw")
	write(file)
	must(t, "start", "t-written")
	if got := inside(t, "t-written", "mariadb -e 'create database kept; show databases' | grep -c kept"); got != "1\n" {
		t.Errorf("the database says %q", got)
	}
	must(t, "stop", "t-written")
	must(t, "start", "t-written")
	if got := inside(t, "t-written", "mariadb -e 'show databases' | grep -c kept"); got != "1\n" {
		t.Errorf("after a restart it says %q", got)
	}
	must(t, "stop", "t-written")
	must(t, "delete", "t-written")
	if _, err := os.Stat(file); err == nil {
		t.Error("the image is left")
	}
	sameAs(t, before, "after delete")
}

// An image that is too small for its content, or for a file system, leaves nothing.
func TestImageTooSmall(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	refused(t, run(t, "create", "-C", "-u", "mariadb", "-i", "4M", "x"), "the image of 4M is full")
	refused(t, run(t, "create", "-u", "apache2", "-i", "8K", "x"), "mkfs.ext4")
	sameAs(t, before, "after the refusals")
}

// A disk of the host that fills up while create copies into an image leaves nothing on it.
func TestImageDiskFull(t *testing.T) {
	rig.On(t, rig.Native)
	shell(t, "mkdir -p "+imageDir)
	if err := syscall.Mount("tmpfs", imageDir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(imageDir, 0) })
	before := snapshot(t)
	refused(t, run(t, "create", "-C", "-u", "mariadb", "-i", "200", "x"), "no space left on the file system of "+imageDir)
	sameAs(t, before, "after the refusal")
}

// What this machine lacks for qcow2 is told before anything is made; where it lacks nothing, all is as with raw images.
func TestImageQCOW2(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	before := snapshot(t)
	if _, err := os.Stat("/dev/nbd0"); err != nil {
		if _, err := os.Stat("/lib/modules/" + strings.TrimSpace(shell(t, "uname -r")) +
			"/kernel/drivers/block/nbd.ko"); err != nil {
			refused(t, run(t, "create", "-u", "apache2", "-i", "100", "--image-format", "qcow2", "x"), "modprobe nbd")
			sameAs(t, before, "after the refusal")
			t.Skip("this kernel has no nbd")
		}
	}
	disk := imageDir + "/t-disk.qcow2"
	t.Cleanup(func() { os.Remove(disk) })
	before = append(before, "file "+disk)
	slices.Sort(before)
	shell(t, "qemu-img create -q -f qcow2 "+disk+" 32M")
	create(t, "t-qcow2", "-C", "-u", "apache2", "-i", "200", "--image-format", "qcow2", "--disk", "db="+disk)
	if got := shell(t, "qemu-img info --output=json "+imageDir+
		"/t-qcow2.qcow2 | grep -c '\"format\": \"qcow2\"'"); got != "1\n" {
		t.Errorf("the image is not in qcow2: %q", got)
	}
	must(t, "start", "t-qcow2")
	inside(t, "t-qcow2", "echo kept >/var/www/html/kept; printf written >/dev/disk/by-tag/db; sync")
	must(t, "stop", "t-qcow2")
	if left := shell(t, "cat /sys/block/nbd*/pid 2>/dev/null | wc -l"); left != "0\n" {
		t.Errorf("%s nbd devices are left", left)
	}
	must(t, "start", "t-qcow2")
	if got := inside(t, "t-qcow2", "curl -s localhost/kept; head -c 7 /dev/disk/by-tag/db"); got != "kept\nwritten" {
		t.Errorf("after a restart: %q", got)
	}
	must(t, "stop", "t-qcow2")
	must(t, "delete", "t-qcow2")
	sameAs(t, before, "after delete")
}

// A sandbox of mode dynamic has a level of its own at each start, and all of its content that level.
func TestImageDynamic(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	before := snapshot(t)
	create(t, "t-dynamic", "-C", "-u", "apache2", "-i", "100", "-s", "dynamic")
	t.Cleanup(func() { remove(t, "t-dynamic2") })
	must(t, "clone", "t-dynamic", "t-dynamic2")
	names := []string{"t-dynamic", "t-dynamic2"}
	for _, name := range names {
		if text := described(t, name); !strings.Contains(text, "mode=dynamic\n") ||
			strings.Contains(text, "level=") {
			t.Errorf("the config is\n%s", text)
		}
	}
	levels := make(map[string]bool)
	for _, name := range names {
		must(t, "start", name)
		inside(t, name, "echo kept >/var/www/html/kept")
		if !selinuxRuns() {
			continue
		}
		label := strings.TrimSpace(inside(t, name, "cat /proc/1/attr/current | tr -d '\\0'"))
		level := strings.TrimPrefix(label, "system_u:system_r:virt_sandbox_t:")
		levels[level] = true
		want := "system_u:object_r:container_file_t:" + level + "\n"
		if got := shell(t, "find "+contentDir+"/"+name+" -printf '%Z\n' | sort -u"); got != want ||
			!strings.Contains(level, ",") {
			t.Errorf("the content of %s has the labels %q, and its processes %q", name, got, label)
		}
		if got := must(t, "status", name); !strings.Contains(got, level) {
			t.Errorf("the status of %s lacks %s:\n%s", name, level, got)
		}
	}
	if selinuxRuns() && len(levels) != len(names) {
		t.Errorf("the levels are %v", levels)
	}
	for _, name := range names {
		must(t, "stop", name)
		if got := must(t, "check", name); got != "" {
			t.Errorf("check of %s: %s", name, got)
		}
	}
	must(t, "start", "t-dynamic")
	if got := inside(t, "t-dynamic", "curl -s localhost/kept"); got != "kept\n" {
		t.Errorf("after a restart: %q", got)
	}
	must(t, "stop", "t-dynamic")
	must(t, "delete", "t-dynamic", "t-dynamic2")
	sameAs(t, before, "after delete")
}

// makeExt4 makes a file system in a file: by a copy of the program, which SELinux policies give no domain of its own
// that may work on devices only.
func makeExt4(t *testing.T, file string) {
	t.Helper()
	dir := t.TempDir()
	shell(t, "cp $(command -v mkfs.ext4) "+dir+"/mkfs.ext4 && "+dir+"/mkfs.ext4 -q '"+file+"'")
}

// attached lists the mounts and block devices of the host, and what containers have at run time.
func attached(t *testing.T) string {
	t.Helper()
	var list []string
	for _, line := range snapshot(t) {
		if strings.HasPrefix(line, "mount ") || strings.HasPrefix(line, "device ") ||
			strings.HasPrefix(line, "file /run/virt-sandbox") {
			list = append(list, line)
		}
	}
	return strings.Join(list, "\n")
}

func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
}

// sizeOf gives the size of a file and what it takes on the disk.
func sizeOf(t *testing.T, file string) (size, used int64) {
	t.Helper()
	var stat syscall.Stat_t
	if err := syscall.Stat(file, &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Size, stat.Blocks * 512
}
