// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

func imageFile(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestParseDisk(t *testing.T) {
	img, qcow2, odd := imageFile(t, "a.img"), imageFile(t, "b.qcow2"), imageFile(t, "c=d,e")
	good := map[string]config.Disk{
		"data=" + img:                            {Tag: "data", Source: img, Format: "raw"},
		"file:data=" + img:                       {Tag: "data", Source: img, Format: "raw"},
		"a b=" + qcow2:                           {Tag: "a b", Source: qcow2, Format: "qcow2"},
		"data=" + qcow2 + ",format=raw":          {Tag: "data", Source: qcow2, Format: "raw"},
		"data=" + odd:                            {Tag: "data", Source: odd, Format: "raw"},
		"data=" + odd + ",format=vmdk":           {Tag: "data", Source: odd, Format: "vmdk"},
		"data=" + filepath.Dir(img) + "/./a.img": {Tag: "data", Source: img, Format: "raw"},
	}
	for text, want := range good {
		if got, err := parseDisk(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "data", "=" + img, "data=", "../x=" + img, ".=" + img, "..=" + img, "a/b=" + img,
		"a\nb=" + img, "data=/no/such/file",
		"data=" + t.TempDir(), "data=/dev/null", "data=" + img + ",format=", "data=" + img + ",format=exe", "data=" + img +
			",size=1"} {
		if got, err := parseDisk(text); err == nil {
			t.Errorf("%q was taken as %+v", text, got)
		}
	}
}

func FuzzParseDisk(f *testing.F) {
	f.Add("data=/dev/null")
	f.Add("file:a=b,format=qcow2")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDisk(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(d.Tag, "/\n") || d.Tag == ".." || !filepath.IsAbs(d.Source) ||
			!slices.Contains(formats(), string(d.Format)) {
			t.Errorf("%q became %+v", text, d)
		}
	})
}

// TestLayOut: what a machine gets of the host and makes of it.
func TestLayOut(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{"whole/proc", "whole/sys", "whole/dev", "whole/run", "whole/tmp", "whole/srv", "bare",
		"open"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(top+"/open", 0o777); err != nil {
		t.Fatal(err)
	}
	s := config.New("t")
	s.Mounts = []config.Mount{
		{Kind: config.MountHostBind, Target: "/srv", Source: top + "/open"},
		{Kind: config.MountRAM, Target: "/tmp/x", Size: 4096},
	}
	s.Mounts = append(s.Mounts, config.Mount{Kind: config.MountGuestBind, Target: "/proc", Source: "/srv"},
		config.Mount{Kind: config.MountHostImage, Target: "/run/y", Source: "/b.img", Format: config.FormatRaw})
	s.Disks = []config.Disk{{Tag: "data", Source: imageFile(t, "a.qcow2"), Format: config.FormatQCOW2}}
	o := &Options{Root: top + "/whole"}
	l, err := layOut(o, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []domain.Share{{Tag: "root", Dir: top + "/whole", ReadOnly: true}, {Tag: "mount1", Dir: top +
		"/open"}}; !slices.Equal(
		l.shares,
		want,
	) {
		t.Errorf("shares %+v", l.shares)
	}
	if want := []guest.MachineMount{{Kind: guest.MountImage, Source: "image0", Target: "/run/y"}, {Kind: guest.MountShare,
		Source: "mount1", Target: "/srv"},
		{Kind: guest.MountRAM, Target: "/tmp/x", Size: 4096}, {Kind: guest.MountBind, Source: "/srv",
			Target: "/proc"}}; !slices.Equal(
		l.inside.Mounts,
		want,
	) {
		t.Errorf("mounts %+v", l.inside.Mounts)
	}
	if len(l.disks) != 2 || l.disks[0] != (domain.Disk{Serial: "image0", File: "/b.img", Format: "raw"}) ||
		l.disks[1].Format != "qcow2" ||
		l.inside.Disks[0] != (guest.MachineDisk{Serial: l.disks[1].Serial, Tag: "data"}) {
		t.Errorf("disks %+v, %+v", l.disks, l.inside.Disks)
	}
	if l.inside.Overlay || slices.Contains(l.modules, "overlay") || !slices.Contains(l.modules, "virtio_blk") ||
		l.runAs != nil {
		t.Errorf("overlay %v, modules %q, as %v", l.inside.Overlay, l.modules, l.runAs)
	}
	s.Mounts = append(s.Mounts, config.Mount{Kind: config.MountRAM, Target: "/not/there"})
	if l, err = layOut(o, s, nil); err != nil || !l.inside.Overlay || !slices.Contains(l.modules, "overlay") {
		t.Errorf("a place that is not there: %+v, %v", l, err)
	}
	if l, err = layOut(&Options{Root: top + "/bare"}, config.New("t"), nil); err != nil || !l.inside.Overlay {
		t.Errorf("a root without places: %+v, %v", l, err)
	}
	if os.Geteuid() != 0 {
		return
	}
	for dir, owner := range map[string]int{"mine": 0, "joes": 1000} {
		if err := os.Mkdir(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(top, dir), owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	joes := config.Mount{Kind: config.MountHostBind, Target: "/srv", Source: top + "/joes"}
	mine := config.Mount{Kind: config.MountHostBind, Target: "/tmp/y", Source: top + "/mine"}
	for _, c := range []struct {
		mounts []config.Mount
		want   domain.Account
	}{{[]config.Mount{joes}, domain.Account{UID: 1000, GID: 1000}}, {[]config.Mount{mine},
		domain.Account{}}, {[]config.Mount{joes, mine}, domain.Account{}}} {
		s.Mounts = c.mounts
		if l, err := layOut(o, s, nil); err != nil || l.runAs == nil || *l.runAs != c.want {
			t.Errorf("%+v: %+v, %v", c.mounts, l, err)
		}
	}
}

// TestLayOutView: without a root, a machine has one in memory with what a one-shot is shown, and nothing else.
func TestLayOutView(t *testing.T) {
	top := t.TempDir()
	for dir, mode := range map[string]os.FileMode{"usr": 0o755, "etc": 0o755, "joe": 0o700} {
		if err := os.Mkdir(filepath.Join(top, dir), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(top+"/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := config.New("t")
	s.Mounts = []config.Mount{{Kind: config.MountRAM, Target: "/not/there", Size: 8192}}
	l, err := layOut(&Options{}, s, &roottree.View{
		Links: []roottree.Link{{Path: "/bin", Target: "usr/bin"}},
		Dirs:  []string{"/var", "/var/tmp"},
		Mounts: []roottree.Mount{
			{Source: top + "/usr", Target: "/usr", ReadOnly: true},
			{Target: "/usr/local", Mode: 0o755, ReadOnly: true},
			{Source: top + "/file", Target: "/usr/file", ReadOnly: true},
			{Source: top + "/gone", Target: "/usr/gone", ReadOnly: true},
			{Source: top + "/etc", Target: "/etc", ReadOnly: true},
			{Source: top + "/joe", Target: "/home/joe", ReadOnly: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	share := func(tag, target string) guest.MachineMount {
		return guest.MachineMount{Kind: guest.MountShare, Source: tag, Target: target, ReadOnly: true}
	}
	shares := []domain.Share{{Tag: "host0", Dir: top + "/usr", ReadOnly: true},
		{Tag: "host4", Dir: top + "/etc", ReadOnly: true}}
	mounts := []guest.MachineMount{share("host0", "/usr"),
		{Kind: guest.MountRAM, Target: "/usr/local", Size: coverSize, ReadOnly: true}, share("host4", "/etc")}
	if os.Geteuid() != 0 { // Then the emulator is the caller.
		shares = append(shares, domain.Share{Tag: "host5", Dir: top + "/joe", ReadOnly: true})
		mounts = append(mounts, share("host5", "/home/joe"))
	}
	mounts = append(mounts, guest.MachineMount{Kind: guest.MountRAM, Target: "/not/there", Size: 8192})
	if !slices.Equal(l.shares, shares) || !slices.Equal(l.inside.Mounts, mounts) {
		t.Errorf("shares %+v, mounts %+v", l.shares, l.inside.Mounts)
	}
	if l.inside.RootTag != "" || l.inside.Overlay || l.runAs != nil ||
		!slices.Equal(l.inside.Links, []guest.MachineLink{{Path: "/bin", Target: "usr/bin"}}) ||
		!slices.Equal(l.inside.Dirs, []string{"/var", "/var/tmp"}) {
		t.Errorf("inside %+v, as %v", l.inside, l.runAs)
	}
}

// TestEveryKindOfMount: a virtual machine leaves none out.
func TestEveryKindOfMount(t *testing.T) {
	for _, kind := range config.MountKinds() {
		s := config.New("t")
		s.Mounts = []config.Mount{{Kind: kind, Target: "/srv", Source: t.TempDir(), Format: config.FormatRaw, Size: 4096}}
		l, err := layOut(&Options{}, s, &roottree.View{})
		if err != nil {
			t.Fatal(err)
		}
		if len(l.inside.Mounts) != 1 || l.inside.Mounts[0].Target != "/srv" {
			t.Errorf("%s: mounts %+v", kind, l.inside.Mounts)
		}
	}
}

// TestStateDir: one machine of a name at a time; what a killed one left is no one's.
func TestStateDir(t *testing.T) {
	base := filepath.Join(t.TempDir(), "run")
	first, err := makeStateDir(base, "a")
	if err != nil {
		t.Fatal(err)
	}
	// It was killed while it wrote, and gave no label yet.
	for _, name := range []string{"initrd", labelsFile} {
		if err := os.WriteFile(first.file(name), []byte(`[{"file":"/`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := makeStateDir(base, "a"); err == nil {
		t.Error("two have one name")
	}
	// Killed: its lock is gone, its files are not.
	first.lock.Close()
	again, err := makeStateDir(base, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(again.file("initrd")); err == nil {
		t.Error("it has the files of the killed one")
	}
	second, err := makeStateDir(base, "b")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*stateDir{again, second} {
		if err := d.remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(base); err == nil {
		t.Error("the directory is left")
	}
	for _, name := range []string{"", "..", "a/b"} {
		if _, err := makeStateDir(base, name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
