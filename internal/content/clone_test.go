// SPDX-License-Identifier: Apache-2.0

package content

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// cloneOf clones the content of a sandbox that has the files given, beside its own, and gives the places of both.
func cloneOf(t *testing.T, tree map[string]string, unit, renamed string) (source, clone string) {
	t.Helper()
	dir := t.TempDir()
	from, to := config.New("web1"), config.New("web2")
	from.Content, to.Content = dir+"/web1", dir+"/web2"
	from.Units, to.Units = []string{unit}, []string{renamed}
	from.MachineID, to.MachineID = strings.Repeat("1", 32), strings.Repeat("2", 32)
	h := newHost(t, nil)
	fakeHost{Host{Root: from.Content}, t}.add(tree)
	fakeHost{Host{Root: from.Content}, t}.add(map[string]string{
		"/.virt-sandbox/identity": "{}",
		"/.virt-sandbox/manifest": `{"path":"/etc/systemd/system/multi-user.target.wants/` + unit +
			`","type":"symlink","origin":"sandbox"}
{"path":"/var/lib/foo","type":"directory","origin":"unit:` + unit + `/StateDirectory"}
{"path":"/var/log/journal/` + from.MachineID + `","type":"directory","origin":"sandbox"}
`,
	})
	if err := h.MarkCreating(to); err != nil {
		t.Fatal(err)
	}
	if err := h.Clone(context.Background(), from, to, nil); err != nil {
		t.Fatal(err)
	}
	return from.Content, to.Content
}

// TestCloneLeavesOutWhatIdentifies: another sandbox could pose as the source with it.
func TestCloneLeavesOutWhatIdentifies(t *testing.T) {
	ofOne := []string{
		"/etc/machine-id", "/etc/hostname", "/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed",
		"/var/lib/systemd/credential.secret", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub",
		"/var/log/journal/" + strings.Repeat("1", 32) + "/system.journal", "/.virt-sandbox/console.log",
		"/.virt-sandbox/adding",
	}
	stays := []string{
		"/etc/ssh/sshd_config",
		"/var/lib/systemd/timers",
		"/var/log/journal.txt",
		"/.virt-sandbox/notes/of-another-version",
	}
	tree := make(map[string]string)
	for _, p := range append(stays, ofOne...) {
		tree[p] = "text of " + p
	}
	_, clone := cloneOf(t, tree, "foo.service", "foo.service")
	for _, p := range ofOne {
		if _, err := os.Lstat(clone + p); err == nil {
			t.Errorf("the clone has %s", p)
		}
	}
	for _, p := range stays {
		if text, err := os.ReadFile(clone + p); err != nil || string(text) != tree[p] {
			t.Errorf("%s is %q (%v)", p, text, err)
		}
	}
	if _, err := os.Lstat(clone + "/" + filestate.IdentityName); err == nil {
		t.Error("the clone has the identity of its source")
	}
}

func TestCloneRenamesInstances(t *testing.T) {
	const units = "/etc/systemd/system/"
	_, clone := cloneOf(t, map[string]string{
		units + "multi-user.target.wants/foo@web1.service": "-> /lib/systemd/system/foo@.service",
		units + "foo@web1.service.d/90-virt-sandbox.conf":  "drop-in",
		units + "foo@web1.service.wants/other.service":     "-> /lib/systemd/system/other.service",
		units + "foo@web1.service":                         "unit",
		units + "foo@web10.service":                        "another",
		units + "deep/er/foo@web1.service":                 "not a unit",
		"/var/lib/foo/foo@web1.service":                    "not a unit",
	}, "foo@web1.service", "foo@web2.service")
	var found []string
	for p := range hosttest.Part(hosttest.Snapshot(t, clone), "/etc/systemd/system") {
		if strings.Contains(p, "foo@") {
			found = append(found, strings.TrimPrefix(p, units))
		}
	}
	slices.Sort(found)
	if want := []string{
		"deep/er/foo@web1.service", "foo@web10.service", "foo@web2.service", "foo@web2.service.d",
		"foo@web2.service.d/90-virt-sandbox.conf",
		"foo@web2.service.wants", "foo@web2.service.wants/other.service", "multi-user.target.wants/foo@web2.service",
	}; !slices.Equal(found, want) {
		t.Errorf("the clone has %q, want %q", found, want)
	}
	entries, err := filestate.ReadManifest(clone)
	if want := []filestate.Entry{
		{Path: units + "multi-user.target.wants/foo@web2.service", Type: "symlink", Origin: "sandbox"},
		{Path: "/var/lib/foo", Type: "directory", Origin: "unit:foo@web2.service/StateDirectory"},
	}; err != nil || !slices.Equal(entries, want) {
		t.Errorf("the manifest has %v (%v), want %v", entries, err, want)
	}
}

// TestCloneNeverLeavesTheTree: what root in the container puts into its own content leads the copy nowhere else.
func TestCloneNeverLeavesTheTree(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/hosts", []byte("10.0.0.1 web1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(outside+"/foo@web1.service", []byte("the host's"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := hosttest.Snapshot(t, outside, "/")
	source, clone := cloneOf(t, map[string]string{
		"/etc/hosts":                   "-> " + outside + "/hosts",
		"/etc/systemd/system/a.wants":  "-> " + outside,
		"/var/log":                     "-> " + outside,
		"/etc/systemd/system/b.wants/": "",
	}, "foo@web1.service", "foo@web2.service")
	hosttest.CheckSame(t, "outside", hosttest.Snapshot(t, outside, "/"), before)
	for _, p := range []string{"/etc/hosts", "/etc/systemd/system/a.wants", "/var/log"} {
		was, _ := os.Readlink(source + p)
		if got, err := os.Readlink(clone + p); err != nil || got != was {
			t.Errorf("%s is %q (%v), want %q", p, got, err, was)
		}
	}
}

// TestCloneOfDeepTree ends with a word, and not for want of descriptors.
func TestCloneOfDeepTree(t *testing.T) {
	dir := t.TempDir()
	at := dir + "/from"
	for range filetree.MaxDepth/50 + 1 {
		at += strings.Repeat("/d", 50)
	}
	if err := errors.Join(os.MkdirAll(at, 0o755), os.Mkdir(dir+"/to", 0o755)); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(dir + "/from")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Open(dir + "/to")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	c := copier{host: from, tree: to, whole: true, fresh: true, again: true, skip: IsOfOne}
	err = c.children(t.Context(), from, to, "/")
	if !errors.Is(err, filetree.ErrTooDeep) || len(err.Error()) > 400 {
		t.Errorf("got %v", err)
	}
}

// TestCloneKeepsHoles, and what a file has in them.
func TestCloneKeepsHoles(t *testing.T) {
	const size = 64 << 20
	for name, at := range map[string]int64{"in the middle": size / 2, "at the begin": 0, "at the end": size - 4,
		"nowhere": -1} {
		t.Run(name, func(t *testing.T) {
			from, err := os.Create(t.TempDir() + "/from")
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			to, err := os.Create(t.TempDir() + "/to")
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			if err := from.Truncate(size); err != nil {
				t.Fatal(err)
			}
			if at >= 0 {
				if _, err := from.WriteAt([]byte("data"), at); err != nil {
					t.Fatal(err)
				}
			}
			sum, err := copyData(from, to)
			if err != nil {
				t.Fatal(err)
			}
			if want := digestOf(t, from.Name()); sum != want {
				t.Errorf("the sum is %s, want %s", sum, want)
			}
			want, _ := os.ReadFile(from.Name())
			got, err := os.ReadFile(to.Name())
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("the copy differs (%v)", err)
			}
			var s unix.Stat_t
			if err := unix.Fstat(int(to.Fd()), &s); err != nil || s.Blocks*512 > 1<<20 {
				t.Errorf("the copy takes %d bytes (%v)", s.Blocks*512, err)
			}
		})
	}
}

// copyData returns an empty file the data of another, and has them summed up.
func copyData(from, to *os.File) (sum string, err error) {
	var s unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &s); err != nil {
		return "", err
	}
	job := filetree.DataCopy{
		Ctx: context.Background(), From: int(from.Fd()), To: int(to.Fd()), Sums: filetree.NewSums(""), Buffer: make([]byte,
			filetree.BufferSize),
	}
	err = job.Run(&s)
	return job.Sums.Own.String(), err
}

func TestRenameInHosts(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"127.0.0.1 localhost web1\n::1\tlocalhost\tweb1\n", "127.0.0.1 localhost web2\n::1\tlocalhost\tweb2\n"},
		{"10.0.0.1 web1.example web10 my-web1\n", "10.0.0.1 web1.example web10 my-web1\n"},
		{"web1 web1 # web1 is here\n# web1", "web1 web2 # web1 is here\n# web1"},
		{"#\n\n  \n10.0.0.1 web1", "#\n\n  \n10.0.0.1 web2"},
		{"", ""},
	} {
		if got := renameInHosts(c.text, "web1", "web2"); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.text, got, c.want)
		}
	}
}

// TestCloneSharesData where the file system can: a copy takes no space there.
func TestCloneSharesData(t *testing.T) {
	const size = 64 << 20
	onXFS(t, func(dir string) error {
		from, err := os.Create(dir + "/from")
		if err != nil {
			return err
		}
		defer from.Close()
		if _, err := from.Write(bytes.Repeat([]byte("data"), size/4)); err != nil {
			return err
		}
		if err := from.Sync(); err != nil {
			return err
		}
		to, err := os.Create(dir + "/to")
		if err != nil {
			return err
		}
		defer to.Close()
		var before, after unix.Statfs_t
		err = unix.Statfs(dir, &before)
		sum, copyErr := copyData(from, to)
		err = errors.Join(err, copyErr, to.Sync(), unix.Statfs(dir, &after))
		if want := digestOf(t, to.Name()); sum != want {
			t.Errorf("the sum is %s, want %s", sum, want)
		}
		if taken := int64(before.Bfree-after.Bfree) * before.Bsize; taken > size/16 {
			t.Errorf("a copy of %d bytes takes %d", size, taken)
		}
		if info, err := to.Stat(); err != nil || info.Size() != size {
			t.Errorf("the copy has %d bytes (%v)", info.Size(), err)
		}
		return err
	})
}

// onXFS calls do in a mount namespace that has an XFS at a directory.
func onXFS(t *testing.T, do func(dir string) error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount")
	}
	image, dir := t.TempDir()+"/image", t.TempDir()
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 512<<20)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.xfs", "-q", "-m", "reflink=1", image).CombinedOutput(); err != nil {
		t.Skipf("no XFS can be made here: %v %s", err, out)
	}
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and with it the namespace.
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
				return err
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return err
			}
			mount := exec.Command("mount", "-t", "xfs", "-o", "loop", image, dir)
			if out, err := mount.CombinedOutput(); err != nil {
				t.Logf("no XFS can be mounted here: %v %s", err, out)
				return errors.ErrUnsupported
			}
			defer func() { _ = unix.Unmount(dir, 0) }()
			return do(dir)
		}()
	}()
	if err := <-done; errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no XFS")
	} else if err != nil {
		t.Fatal(err)
	}
}
