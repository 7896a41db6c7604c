// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// needRoot skips what needs mounts and loop devices.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("needs loop devices")
	}
}

func noNBD([]string) error { return errors.New("a raw image needs no qemu-nbd") }

// newImage makes an image of 64 MiB.
func newImage(t *testing.T) Mount {
	t.Helper()
	dir := t.TempDir()
	m := Mount{File: filepath.Join(dir, "a.raw"), Format: config.FormatRaw, Target: filepath.Join(dir, "mnt")}
	if err := Make(m.File, m.Format, config.Ext4, 64<<20, noNBD); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for unix.Unmount(m.Target, unix.MNT_DETACH) == nil {
		}
	})
	return m
}

func attachIt(t *testing.T, m Mount) {
	t.Helper()
	if err := m.Attach(noNBD); err != nil {
		t.Fatal(err)
	}
}

func detachIt(t *testing.T, m Mount, wantBusy bool) {
	t.Helper()
	if busy, err := m.Detach(); err != nil || busy != wantBusy {
		t.Fatalf("detach: busy %t, %v", busy, err)
	}
}

func loopsOfFile(t *testing.T, file string) []loop {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	loops, err := loopsOf(f)
	if err != nil {
		t.Fatal(err)
	}
	return loops
}

// A made image is sparse, is mounted once however often that is asked for, keeps what is written, and leaves no loop
// device.
func TestAttachDetach(t *testing.T) {
	needRoot(t)
	m := newImage(t)
	var stat unix.Stat_t
	if err := unix.Stat(m.File, &stat); err != nil || stat.Size != 64<<20 || stat.Blocks*512 > 16<<20 ||
		stat.Mode&0o777 != 0o600 {
		t.Errorf("the image has %d bytes, %d on disk, mode %o, %v", stat.Size, stat.Blocks*512, stat.Mode, err)
	}
	attachIt(t, m)
	attachIt(t, m)
	loops := loopsOfFile(t, m.File)
	if len(loops) != 1 || !loops[0].temporary {
		t.Fatalf("loop devices %+v", loops)
	}
	if points, err := mountedFrom(loops[0].number); err != nil || len(points) != 1 || points[0] != m.Target {
		t.Errorf("mounted at %v, %v", points, err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(m.Target, &fs); err != nil ||
		fs.Flags&(unix.ST_NOSUID|unix.ST_NODEV) != unix.ST_NOSUID|unix.ST_NODEV ||
		fs.Flags&unix.ST_NOEXEC != 0 {
		t.Errorf("flags of the mount %x, %v", fs.Flags, err)
	}
	if err := os.WriteFile(m.Target+"/file", []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	detachIt(t, m, false)
	if loops := loopsOfFile(t, m.File); len(loops) != 0 {
		t.Errorf("left: %+v", loops)
	}
	if _, err := os.Stat(m.Target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mount point is left: %v", err)
	}
	attachIt(t, m)
	if data, err := os.ReadFile(m.Target + "/file"); string(data) != "kept" {
		t.Errorf("the file says %q, %v", data, err)
	}
	detachIt(t, m, false)
	detachIt(t, m, false)
}

// What the host keeps open does not keep the image from being unmounted, nor from being mounted again: as the same file
// system, since two in the same blocks would destroy each other.
func TestBusy(t *testing.T) {
	needRoot(t)
	m := newImage(t)
	attachIt(t, m)
	held, err := os.Create(m.Target + "/held")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	detachIt(t, m, true)
	if user, err := InUse(m.File); user != "" || err != nil {
		t.Errorf("in use by %q, %v", user, err)
	}
	attachIt(t, m)
	if loops := loopsOfFile(t, m.File); len(loops) != 1 {
		t.Errorf("loop devices %+v", loops)
	}
	if _, err := held.WriteString("late"); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(m.Target + "/held"); string(data) != "late" {
		t.Errorf("the file says %q, %v", data, err)
	}
	held.Close()
	detachIt(t, m, false)
	if loops := loopsOfFile(t, m.File); len(loops) != 0 {
		t.Errorf("left: %+v", loops)
	}
}

func TestInUse(t *testing.T) {
	needRoot(t)
	m := newImage(t)
	check := func(want string, mounts ...string) {
		t.Helper()
		if got, err := InUse(m.File, mounts...); err != nil || !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("in use by %q, %v; want %q", got, err, want)
		}
	}
	check("")
	attachIt(t, m)
	check("mount at " + m.Target)
	check("", m.Target)
	detachIt(t, m, false)

	out, err := exec.Command("losetup", "--find", "--show", m.File).Output()
	if err != nil {
		t.Fatal(err)
	}
	device := strings.TrimSpace(string(out))
	check(device)
	if err := exec.Command("losetup", "--detach", device).Run(); err != nil {
		t.Fatal(err)
	}

	f, err := os.OpenFile(m.File, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Byte 100 is one that QEMU locks.
	lock := unix.Flock_t{Type: unix.F_RDLCK, Whence: unix.SEEK_SET, Start: 100, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	check("locked")
	f.Close()
	check("")
}

// A loop device that was made to stay is taken from a file all the same.
func TestFreeLoops(t *testing.T) {
	needRoot(t)
	m := newImage(t)
	if out, err := exec.Command("losetup", "--find", m.File).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if loops := loopsOfFile(t, m.File); len(loops) != 1 || loops[0].temporary {
		t.Errorf("loop devices %+v", loops)
	}
	if err := FreeLoops(m.File); err != nil {
		t.Error(err)
	}
	if loops := loopsOfFile(t, m.File); len(loops) != 0 {
		t.Errorf("left: %+v", loops)
	}
	if err := errors.Join(FreeLoops(m.File), FreeLoops("/no/such/file")); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	needRoot(t)
	refused := func(m Mount, want string) {
		t.Helper()
		if err := m.Attach(noNBD); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if info, err := os.Stat(m.File); err == nil && info.Mode().IsRegular() {
			if loops := loopsOfFile(t, m.File); len(loops) != 0 {
				t.Errorf("%s: left %+v", want, loops)
			}
		}
	}
	m := newImage(t)
	if err := os.MkdirAll(m.Target+"/something", 0o700); err != nil {
		t.Fatal(err)
	}
	refused(m, "is not empty")

	m = newImage(t)
	if err := os.Mkdir(m.Target, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", m.Target, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	refused(m, "something is mounted")
	detachIt(t, m, false)
	if !isMounted(t, m.Target) {
		t.Error("another's mount was taken away")
	}

	other := newImage(t)
	m = newImage(t)
	other.Target = m.Target
	attachIt(t, other)
	refused(m, "something is mounted")
	detachIt(t, m, false)
	if !isMounted(t, m.Target) {
		t.Error("another image was unmounted")
	}
	detachIt(t, other, false)

	m = newImage(t)
	if err := os.Truncate(m.File, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(m.File, 1<<20); err != nil {
		t.Fatal(err)
	}
	refused(m, "no ext4, XFS or Btrfs file system")

	m = newImage(t)
	m.File = filepath.Dir(m.File)
	refused(m, "is a directory")
	m.File = filepath.Join(m.File, "pipe")
	if err := unix.Mkfifo(m.File, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(m, "not a regular file")
	m.File = "/no/such/file"
	refused(m, "no such file")

	m = newImage(t)
	f, err := os.OpenFile(m.File, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// All of the superblock but its magic.
	if err := errors.Join(write(f, 1024, 0x38), write(f, 1024+0x3a, 900), f.Close()); err != nil {
		t.Fatal(err)
	}
	refused(m, "fsck.ext4")

	if err := Make(m.File, config.FormatRaw, config.Ext4, 1<<20, noNBD); !errors.Is(err, os.ErrExist) {
		t.Errorf("an image in place of another: %v", err)
	}
	if info, err := os.Stat(m.File); err != nil || info.Size() != 64<<20 {
		t.Errorf("the other one: %v, %v", info, err)
	}
	if err := Make(m.File+"2", config.FormatRaw, config.Ext4, 1024, noNBD); err == nil || !strings.Contains(err.Error(),
		"mkfs.ext4") {
		t.Errorf("an image that is too small: %v", err)
	}
	if _, err := os.Stat(m.File + "2"); err == nil {
		t.Error("that one is left")
	}
}

func write(f *os.File, offset int64, length int) error {
	_, err := f.WriteAt(bytes.Repeat([]byte{0xff}, length), offset)
	return err
}

func isMounted(t *testing.T, dir string) bool {
	t.Helper()
	device, err := mountedAt(dir)
	if err != nil {
		t.Fatal(err)
	}
	return device != 0
}

// An image that asks for a panic of the kernel when it is damaged is mounted so that the kernel does not heed it.
func TestHostileSuperblock(t *testing.T) {
	needRoot(t)
	m := newImage(t)
	if out, err := exec.Command("tune2fs", "-e", "panic", m.File).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	attachIt(t, m)
	defer detachIt(t, m, false)
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(mounts)) {
		if strings.Contains(l, " "+m.Target+" ") && (strings.Contains(l, "panic") || !strings.Contains(l,
			"errors=remount-ro")) {
			t.Errorf("mounted as %s", l)
		}
	}
}

func TestSettle(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/web.raw"
	temporary := Temporary(file)
	if temporary != dir+"/.web.raw.virt-sandbox" {
		t.Errorf("it is %s until then", temporary)
	}
	if err := Settle(file); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(temporary, "new")
	if err := Settle(file); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(file); string(data) != "new" {
		t.Errorf("it says %q, %v", data, err)
	}
	// Killed between the two names.
	if err := os.Link(file, temporary); err != nil {
		t.Fatal(err)
	}
	if err := Settle(file); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(temporary); err == nil {
		t.Error("the temporary name is left")
	}
	put(temporary, "other")
	if err := Settle(file); !errors.Is(err, os.ErrExist) {
		t.Errorf("over another's file: %v", err)
	}
	if data, err := os.ReadFile(file); string(data) != "new" {
		t.Errorf("it says %q, %v", data, err)
	}
}

// TestRemoveUnsettled: what another put at the name of an image meanwhile is not the image.
func TestRemoveUnsettled(t *testing.T) {
	file := t.TempDir() + "/web.raw"
	for _, c := range []struct {
		name           string
		unfinished     bool
		another        bool // a file that is not the image has its name
		both           bool // Settle was interrupted
		left           string
		refusedByAName bool
	}{
		{name: "nothing"},
		{name: "unfinished", unfinished: true},
		{name: "another's", another: true, left: "another's"},
		{name: "unfinished beside another's", unfinished: true, another: true, left: "another's", refusedByAName: true},
		{name: "two names", unfinished: true, both: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			if c.unfinished {
				err = os.WriteFile(Temporary(file), []byte("image"), 0o600)
			}
			if c.another {
				err = errors.Join(err, os.WriteFile(file, []byte("another's"), 0o600))
			}
			if c.both {
				err = errors.Join(err, os.Link(Temporary(file), file))
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.refusedByAName {
				if err := Settle(file); !errors.Is(err, os.ErrExist) {
					t.Errorf("settle: %v", err)
				}
			}
			if err := RemoveUnsettled(file); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(Temporary(file)); err == nil {
				t.Error("the unfinished image is left")
			}
			if data, _ := os.ReadFile(file); string(data) != c.left {
				t.Errorf("its name has %q, want %q", data, c.left)
			}
			os.Remove(file)
		})
	}
}

// What a machine without it lacks is said before anything is made.
func TestCheckNBD(t *testing.T) {
	if hasNBD() {
		t.Skip("this kernel has nbd")
	}
	if err := CheckMake(config.FormatQCOW2, config.Ext4); err == nil || !strings.Contains(err.Error(), "modprobe nbd") {
		t.Errorf("without the module: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := CheckNBD(); err == nil || !strings.Contains(err.Error(), "qemu-utils") {
		t.Errorf("without the program: %v", err)
	}
	if err := CheckMake(config.FormatRaw, config.XFS); err == nil || !strings.Contains(err.Error(), "xfsprogs") {
		t.Errorf("without mkfs.xfs: %v", err)
	}
}

// The format is always said: a raw disk that a container wrote a header into must not be read as what that says.
func TestNBDArguments(t *testing.T) {
	got := strings.Join(nbdArguments("/dev/nbd3", "/images/--odd name.qcow2", config.FormatQCOW2), "|")
	want := "qemu-nbd|--fork|--connect=/dev/nbd3|--format=qcow2|--discard=unmap|--|/images/--odd name.qcow2"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
