// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// copyOf places paths of a host into a new tree and gives the tree.
func copyOf(t *testing.T, h fakeHost, whole bool, paths ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	return dir, copyTo(t, context.Background(), dir, h, whole, paths...)
}

func copyTo(t *testing.T, ctx context.Context, dir string, h fakeHost, whole bool, paths ...string) error {
	t.Helper()
	host, err := os.Open(h.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	tree, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	c := copier{
		host:  host,
		tree:  tree,
		whole: whole,
		fresh: true,
		skip:  privatepaths.IsHostIdentity,
		links: make(map[filetree.Inode]string),
	}
	for _, p := range paths {
		if err := c.Place(ctx, p, "admin"); err != nil {
			return err
		}
	}
	return nil
}

// varied is a host with one of everything that a copy must keep.
func varied(t *testing.T) fakeHost {
	t.Helper()
	return fakeHost{Host{Root: hosttest.VariedRoot(t)}, t}
}

// withoutSpecial drops what a copy leaves out: what belongs to running programs.
func withoutSpecial(all map[string]string) map[string]string {
	for _, p := range []string{"/etc/d/fifo", "/etc/d/socket"} {
		delete(all, p)
	}
	return all
}

func TestCopyKeepsEverything(t *testing.T) {
	h := varied(t)
	dir, err := copyOf(t, h, true, "/etc/d")
	if err != nil {
		t.Fatal(err)
	}
	want := withoutSpecial(hosttest.Part(hosttest.Snapshot(t, h.Root, "/etc/d"), "/etc/d"))
	if !strings.Contains(want["/etc/d/second"], `["/etc/d/first" "/etc/d/second" "/etc/d/sub/third"]`) {
		t.Fatalf("the snapshot does not see hard links: %s", want["/etc/d/second"])
	}
	hosttest.CheckSame(t, "copy", hosttest.Part(hosttest.Snapshot(t, dir, "/etc/d"), "/etc/d"), want)
}

// TestBareCopy: without -C there are empty files, and of directories only those that are private themselves.
func TestBareCopy(t *testing.T) {
	h := varied(t)
	dir, err := copyOf(t, h, false, "/etc/d", "/etc/passwd", "/etc/d/link")
	if err != nil {
		t.Fatal(err)
	}
	all := hosttest.Snapshot(t, h.Root)
	want := map[string]string{
		"/etc/d": all["/etc/d"], "/etc/d/link": all["/etc/d/link"],
		"/etc/passwd": strings.SplitN(all["/etc/passwd"], ` "`, 2)[0] + ` "" ["/etc/passwd"]`,
	}
	got := hosttest.Part(hosttest.Snapshot(t, dir), "/etc")
	delete(got, "/etc")
	hosttest.CheckSame(t, "bare copy", got, want)
}

// TestCopyMakesParents: they get the attributes that they have on the host, and nothing else that lies in them.
func TestCopyMakesParents(t *testing.T) {
	h := varied(t)
	dir, err := copyOf(t, h, true, "/etc/d/sub/deep/er/file")
	if err != nil {
		t.Fatal(err)
	}
	all := hosttest.Snapshot(t, h.Root)
	want := map[string]string{}
	for _, p := range []string{"/etc", "/etc/d", "/etc/d/sub", "/etc/d/sub/deep", "/etc/d/sub/deep/er",
		"/etc/d/sub/deep/er/file"} {
		want[p] = all[p]
	}
	hosttest.CheckSame(t, "copy", hosttest.Part(hosttest.Snapshot(t, dir), "/etc"), want)
}

func TestCopyLeavesOutWhatTheHostLacks(t *testing.T) {
	h := newHost(t, map[string]string{"/etc/d/": ""})
	dir, err := copyOf(t, h, true, "/etc/absent", "/var/absent/deep", "/etc/d/absent")
	if err != nil {
		t.Fatal(err)
	}
	for p, what := range hosttest.Snapshot(t, dir) {
		if !strings.HasPrefix(what, "d") {
			t.Errorf("%s is there: %s", p, what)
		}
	}
}

// TestCopyNeverLeavesTheRoots: symbolic links on the way, on either side, lead it nowhere else.
func TestCopyNeverLeavesTheRoots(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/secret", []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name       string
		host, tree map[string]string
		path       string
	}{
		{"parent on the host", map[string]string{"/var/d": "-> " + outside}, nil, "/var/d/secret"},
		{"parent on the host, relative", map[string]string{"/var/d": "-> ../../../../../../../../.." + outside}, nil,
			"/var/d/secret"},
		{"parent in the tree", map[string]string{"/var/d/secret": "mine"}, map[string]string{"/var/d": "-> " + outside},
			"/var/d/secret"},
		{
			"parent of the parent in the tree",
			map[string]string{"/var/d/secret": "mine"},
			map[string]string{"/var": "-> " + outside},
			"/var/d/secret",
		},
		{"directory in the tree", map[string]string{"/var/d/secret": "mine"}, map[string]string{"/var/d": "-> " + outside},
			"/var/d"},
		{"file in the tree", map[string]string{"/var/d/secret": "mine"}, map[string]string{"/var/d/secret": "-> " + outside +
			"/secret"}, "/var/d"},
		{"new file in the tree", map[string]string{"/var/d/new": "mine"}, map[string]string{"/var/d/new": "-> " + outside +
			"/new"}, "/var/d"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := hosttest.Snapshot(t, outside, "/")
			h := newHost(t, c.host)
			dir := t.TempDir()
			fakeHost{Host{Root: dir}, t}.add(c.tree)
			if err := copyTo(t, context.Background(), dir, h, true, c.path); err == nil {
				t.Error("no error")
			}
			hosttest.CheckSame(t, "outside", hosttest.Snapshot(t, outside, "/"), before)
			for p, what := range hosttest.Snapshot(t, dir) {
				if strings.Contains(what, "secret\"") {
					t.Errorf("%s came in: %s", p, what)
				}
			}
		})
	}
}

// TestCopyLeavesHostKeys: with the host's keys a container could pose as it.
func TestCopyLeavesHostKeys(t *testing.T) {
	h := newHost(t, map[string]string{
		"/etc/ssh/sshd_config": "", "/etc/ssh/ssh_host_rsa_key": "secret", "/etc/ssh/ssh_host_rsa_key.pub": "",
		"/etc/ssh/moduli": "", "/etc/ssh/sub/ssh_host_rsa_key": "",
	})
	dir, err := copyOf(t, h, true, "/etc/ssh", "/etc/ssh/ssh_host_rsa_key")
	if err != nil {
		t.Fatal(err)
	}
	want := hosttest.Part(hosttest.Snapshot(t, h.Root), "/etc/ssh")
	delete(want, "/etc/ssh/ssh_host_rsa_key")
	delete(want, "/etc/ssh/ssh_host_rsa_key.pub")
	hosttest.CheckSame(t, "copy", hosttest.Part(hosttest.Snapshot(t, dir), "/etc/ssh"), want)
}

// TestCopyResumes interrupts a copy at every point at which it can be, and runs it again.
func TestCopyResumes(t *testing.T) {
	h := varied(t)
	want := withoutSpecial(hosttest.Part(hosttest.Snapshot(t, h.Root, "/etc/d"), "/etc/d"))
	for n := 0; ; n++ {
		dir := t.TempDir()
		err := copyTo(t, interruptedAfter(n), dir, h, true, "/etc/d")
		if err == nil && n > 20 {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted at check %d: got %v, want Canceled", n, err)
		}
		if err := copyTo(t, context.Background(), dir, h, true, "/etc/d"); err != nil {
			t.Fatalf("resumed after check %d: %v", n, err)
		}
		hosttest.CheckSame(t, "resumed copy", hosttest.Part(hosttest.Snapshot(t, dir, "/etc/d"), "/etc/d"), want)
	}
}

// TestCopyReplacesWhatAnInterruptedRunLeft, whatever state that is in.
func TestCopyReplacesWhatAnInterruptedRunLeft(t *testing.T) {
	h := varied(t)
	cases := []struct{ name, path, left string }{
		{"half a file", "/etc/d/big", "0123"},
		{"more than the file is now", "/etc/d/d.conf", "longer than it is"},
		{"as much as the file is", "/etc/d/d.conf", "PLAIN"},
		{"a hard link as a file", "/etc/d/second", "half"},
		{"the first of the links", "/etc/d/first", "half"},
		{"another link", "/etc/d/link", "-> elsewhere"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			fakeHost{Host{Root: dir}, t}.add(map[string]string{c.path: c.left})
			checkResumed(t, h, dir)
		})
	}
	t.Run("a file of the same time", func(t *testing.T) {
		dir := t.TempDir()
		fakeHost{Host{Root: dir}, t}.add(map[string]string{"/etc/d/d.conf": "longer than it is"})
		info, err := os.Stat(h.Root + "/etc/d/d.conf")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir+"/etc/d/d.conf", info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		checkResumed(t, h, dir)
	})
	t.Run("a pipe in place of a file", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.MkdirAll(dir+"/etc/d", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(dir+"/etc/d/d.conf", 0o600); err != nil {
			t.Fatal(err)
		}
		if err := copyTo(t, context.Background(), dir, h, true, "/etc/d"); err == nil || !strings.Contains(err.Error(),
			"is no file") {
			t.Errorf("got %v, want that it is no file", err)
		}
	})
	t.Run("a parent without attributes", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.MkdirAll(dir+"/etc/d/sub/deep", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := copyTo(t, context.Background(), dir, h, true, "/etc/d/sub/deep/er"); err != nil {
			t.Fatal(err)
		}
		all, got := hosttest.Snapshot(t, h.Root), hosttest.Snapshot(t, dir)
		hosttest.CheckSame(t, "parents", map[string]string{"/etc/d": got["/etc/d"], "/etc/d/sub": got["/etc/d/sub"]},
			map[string]string{"/etc/d": all["/etc/d"], "/etc/d/sub": all["/etc/d/sub"]})
	})
}

// checkResumed completes a copy of /etc/d that dir has a part of.
func checkResumed(t *testing.T, h fakeHost, dir string) {
	t.Helper()
	if err := copyTo(t, context.Background(), dir, h, true, "/etc/d"); err != nil {
		t.Fatal(err)
	}
	want := withoutSpecial(hosttest.Part(hosttest.Snapshot(t, h.Root, "/etc/d"), "/etc/d"))
	hosttest.CheckSame(t, "copy", hosttest.Part(hosttest.Snapshot(t, dir, "/etc/d"), "/etc/d"), want)
}

// checks is a context that is cancelled once it was asked n times.
type checks struct {
	context.Context
	left *int
}

func interruptedAfter(n int) context.Context { return checks{context.Background(), &n} }

func (c checks) Err() error {
	if *c.left == 0 {
		return context.Canceled
	}
	*c.left--
	return nil
}
