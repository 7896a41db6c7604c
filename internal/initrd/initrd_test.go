// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

const release = "6.1.0-test"

// installed is a kernel with modules that are packed in every way: b needs a, c needs b and a and has a soft
// dependency, d is built in, the file of gone is not there.
func installed(t *testing.T) (Kernel, Options) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "modules", release)
	for name, data := range map[string][]byte{
		"kernel/a.ko": object("a"), "kernel/b.ko.gz": packGzip(t, object("b")), "kernel/c-c.ko.zst": packZstd(t, object("c")),
		"kernel/soft.ko.xz": packXZ(t, object("soft")), "kernel/bad.ko": []byte("no module"),
		dependencyFile: []byte("kernel/a.ko:\nkernel/b.ko.gz: kernel/a.ko\nkernel/c-c.ko.zst: kernel/b.ko.gz kernel/a.ko\n" +
			"kernel/soft.ko.xz:\nkernel/gone.ko:\nkernel/bad.ko:\n"),
		builtinFile: []byte("kernel/d.ko\n"),
		softFile:    []byte("softdep c_c pre: crypto-soft nothing post: gone\n"),
		aliasFile:   []byte("alias crypto-soft soft\nalias pci:v*d* gone\n"),
	} {
		write(t, filepath.Join(dir, name), data)
	}
	write(t, filepath.Join(top, "vmlinuz"), []byte("an image that is none"))
	write(t, filepath.Join(top, "init"), []byte("the first program"))
	return Kernel{
			release,
			filepath.Join(top, "vmlinuz"),
			dir,
		}, Options{
			Init:    filepath.Join(top, "init"),
			Modules: []string{"c-c", "d"},
		}
}

func object(name string) []byte { return []byte(elfMagic + strings.Repeat(name, 1000)) }

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func packGzip(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packZstd(t *testing.T, data []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

// packXZ packs as distributions do, by xz(1) with what the kernel's own unpacker can check.
func packXZ(t *testing.T, data []byte) []byte {
	command := exec.Command("xz", "--check=crc32", "--lzma2=dict=1MiB", "-c")
	command.Stdin = bytes.NewReader(data)
	out, err := command.Output()
	if err != nil {
		t.Skipf("xz(1): %v", err)
	}
	return out
}

func cache(t *testing.T) *Cache {
	t.Helper()
	c, err := OpenCache(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// entries lists an archive by the library; TestArchiveForOthers does so by cpio(1).
func entries(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	list := make(map[string]string)
	for archive := cpio.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if h.Linkname != "" {
			data = []byte(h.Linkname)
		}
		list[h.Name] = string(data)
	}
}

func TestInitrd(t *testing.T) {
	k, o := installed(t)
	o.Spare = map[string]string{"fs-a": "a", "fs-none": "not-there"}
	file, err := cache(t).Initrd(k, o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := entries(t, f)
	want := map[string]string{
		"run": "", "run/host": "", "run/host/modules": "",
		"init": guest.ProgramFile, "run/host/modprobe": guest.ProgramFile, "run/host/virt-sandbox-init": "the first program",
		"run/host/modules.list": "start a b ?soft c_c\nfs-a a\n",
		"run/host/modules/a":    string(object("a")), "run/host/modules/b": string(object("b")),
		"run/host/modules/c_c": string(object("c")), "run/host/modules/soft": string(object("soft")),
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s is %.40q, want %.40q", name, got[name], data)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("also there: %v", got)
	}
}

// TestArchiveForOthers: cpio(1) reads what the library writes, with types, modes and owners.
func TestArchiveForOthers(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip(err)
	}
	k, o := installed(t)
	file, err := cache(t).Initrd(k, o)
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	command := exec.Command("cpio", "--quiet", "-tvn")
	command.Stdin = in
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		got = append(got, fmt.Sprint(f[0], f[2:5], strings.Join(f[8:], " ")))
	}
	for _, want := range []string{
		"drwxr-xr-x[0 0 0]run/host", "-r-xr-xr-x[0 0 17]run/host/virt-sandbox-init", "lrwxrwxrwx[0 0 27]init -> " +
			"/run/host/virt-sandbox-init",
		"-r--r--r--[0 0 1004]run/host/modules/b",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}

// TestCache: the same is made once, and anew when anything that it is made of is another.
func TestCache(t *testing.T) {
	k, o := installed(t)
	c := cache(t)
	ask := func() string {
		t.Helper()
		file, err := c.Initrd(k, o)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	first := ask()
	before, _ := os.Stat(first)
	if again := ask(); again != first {
		t.Errorf("asked again, it is %s and was %s", again, first)
	}
	if after, _ := os.Stat(first); !os.SameFile(before, after) {
		t.Error("it was made again")
	}
	seen := []string{first}
	changes := []func(){
		func() { write(t, o.Init, []byte("another first program")) },
		func() { write(t, filepath.Join(k.Modules, "kernel/a.ko"), object("a2")) },
		func() { o.Modules = o.Modules[:1]; o.Spare = map[string]string{"fs-a": "a"} },
	}
	for i, change := range changes {
		change()
		file := ask()
		if slices.Contains(seen, file) {
			t.Errorf("change %d: an old one was given", i)
		}
		seen = append(seen, file)
	}
	// What is there under its name is what others may not have put there.
	if info, err := os.Stat(filepath.Dir(first)); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the directory has %v, %v", info.Mode(), err)
	}
}

// TestCacheCopies: a copy is there once, everybody may read it, and another file has another.
func TestCacheCopies(t *testing.T) {
	c, source := cache(t), filepath.Join(t.TempDir(), "qboot.rom")
	write(t, source, []byte("firmware"))
	if err := os.Chmod(source, 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := c.Copy(source)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Copy(source); err != nil || again != first {
		t.Errorf("asked again, it is %s, %v", again, err)
	}
	info, err := os.Stat(first)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("it has %v, %v", info, err)
	}
	if data, err := os.ReadFile(first); string(data) != "firmware" {
		t.Errorf("it has %q, %v", data, err)
	}
	write(t, source, []byte("another firmware"))
	if other, err := c.Copy(source); err != nil || other == first {
		t.Errorf("of another file it is %s, %v", other, err)
	}
	if _, err := c.Copy(source + ".none"); err == nil {
		t.Error("what is not there was copied")
	}
}

func TestCacheRefusesOthersDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	link := dir + "-link"
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	others := filepath.Join(t.TempDir(), "others")
	if err := os.Mkdir(others, 0o755); err != nil {
		t.Fatal(err)
	}
	list := []string{dir, link}
	if os.Geteuid() == 0 && os.Chown(others, 1, 1) == nil {
		list = append(list, others)
	}
	for _, d := range list {
		if _, err := OpenCache(d); err == nil {
			t.Errorf("%s was taken", filepath.Base(d))
		}
	}
}

// TestNothingHalf: what fails leaves no file in the cache.
func TestNothingHalf(t *testing.T) {
	k, o := installed(t)
	c := cache(t)
	o.Modules = []string{"bad"}
	if _, err := c.Initrd(k, o); err == nil || !strings.Contains(err.Error(), "bad.ko is no kernel module") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(c.dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestMissing(t *testing.T) {
	k, o := installed(t)
	cases := []struct {
		name    string
		modules []string
		want    []string
	}{
		{"module", []string{"a", "9p", "vsock"}, []string{"no module 9p, vsock", release, k.Modules}},
		{"module's file", []string{"gone"}, []string{"gone.ko: no such file", release}},
	}
	for _, c := range cases {
		o.Modules = c.modules
		_, err := cache(t).Initrd(k, o)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %s", c.name, err, want)
			}
		}
	}
	o.Modules, o.Init = nil, "/no/such/init"
	if _, err := cache(t).Initrd(k, o); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), o.Init) {
		t.Errorf("no init: %v", err)
	}
}

func TestFindKernel(t *testing.T) {
	k, _ := installed(t)
	modules := filepath.Dir(k.Modules)
	got, err := FindKernel(release, k.Image, modules)
	if err != nil || got != k {
		t.Errorf("got %+v, %v, want %+v", got, err, k)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cases := []struct{ release, image, modules, want string }{
		{release, k.Image + "-none", modules, "install linux-image-" + release},
		{release, fifo, modules, "no regular file"},
		{release, k.Image, modules + "-none", "run depmod " + release},
		{"../" + release, k.Image, modules, "characters"},
		{"a/b", k.Image, modules, "characters"},
		{"no-such-release", "", modules, "/boot/vmlinuz-no-such-release"},
	}
	for _, c := range cases {
		if _, err := FindKernel(c.release, c.image, c.modules); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v does not say %s", c, err, c.want)
		}
	}
}

// TestCompose: the plan is in an archive behind the other, which begins where the kernel looks for it; only its owner
// can read it.
func TestCompose(t *testing.T) {
	dir := t.TempDir()
	for extra := range 4 {
		base, file := filepath.Join(dir, fmt.Sprint("base", extra)), filepath.Join(dir, fmt.Sprint("initrd", extra))
		write(t, base, bytes.Repeat([]byte("x"), 512+extra))
		if err := Compose(file, base, &guest.Plan{Name: "web", Command: []string{"/bin/date"}}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		second := data[(512+extra+3)&^3:]
		plan := filepath.Join(dir, fmt.Sprint("plan", extra))
		write(t, plan, []byte(entries(t, bytes.NewReader(second))["run/host/sandbox.json"]))
		if p, err := guest.ReadPlan(plan); err != nil || p.Name != "web" || !slices.Equal(p.Command, []string{"/bin/date"}) {
			t.Errorf("%d bytes: got %+v, %v", 512+extra, p, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if err := Compose(file, base, &guest.Plan{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over another file: %v", err)
		}
		if again, _ := os.ReadFile(file); !bytes.Equal(again, data) {
			t.Error("the other file was changed")
		}
	}
}
