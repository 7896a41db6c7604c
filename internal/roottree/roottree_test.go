// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inOwnMounts calls f on a thread with a mount namespace of its own, which passes nothing on to the host's.
func inOwnMounts(t *testing.T, f func() error) error {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with its namespace.
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			done <- err
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// lay makes files of a directory: "dir/" is a directory, "link -> target" a symbolic link, all else a file.
func lay(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		link, target, isLink := strings.Cut(name, " -> ")
		file := filepath.Join(dir, link)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case isLink:
			err = os.Symlink(target, file)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(file, 0o755)
		default:
			err = os.WriteFile(file, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestBuild: a root has what it is made of and nothing else of the host, read-only where it is said.
func TestBuild(t *testing.T) {
	dir, host, content := t.TempDir(), t.TempDir(), t.TempDir()
	lay(t, host, "usr/bin/tool", "usr/local/", "one-file")
	lay(t, content, "var/lib/", "var/www/index", "srv/")
	tree := Tree{Dir: filepath.Join(dir, ".root-web/tree"), Sandbox: "web"}
	c := Content{View: View{
		Links: []Link{{"/bin", "usr/bin"}}, Dirs: []string{"/mnt"},
		Mounts: []Mount{
			{Source: host + "/usr", Target: "/usr", ReadOnly: true},
			{Target: "/usr/local", ReadOnly: true, Mode: 0o755},
			{Source: host + "/one-file", Target: "/usr/local/made/file", ReadOnly: true},
			{Below: content, Source: "/var", Target: "/var"},
			{Target: "/run", Memory: 1 << 20, Mode: 0o755},
			{Source: "/var/www", Target: "/run/www", Inside: true},
			{Source: "/var/www", Target: "/run/read", Inside: true, ReadOnly: true},
			{Source: "/run/made/0", Target: "/var/lib", Inside: true, Make: true},
		},
	}}
	err := inOwnMounts(t, func() error {
		if err := errors.Join(tree.makeDir(c.IDs), tree.build(&c)); err != nil {
			return err
		}
		for name, want := range map[string]error{
			"new": unix.EROFS, "usr/new": unix.EROFS, "usr/local/new": unix.EROFS, "mnt/new": unix.EROFS,
			"usr/local/made/file": unix.EROFS, "var/lib/new": nil, "run/new": nil, "run/www/new": nil,
			"run/read/new": unix.EROFS, "run/made/0/new": nil,
		} {
			if err := os.WriteFile(filepath.Join(tree.Dir, name), nil, 0o644); !errors.Is(err, want) {
				t.Errorf("write %s: got %v, want %v", name, err, want)
			}
		}
		entries, err := os.ReadDir(tree.Dir)
		if err != nil {
			return err
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if got, want := strings.Join(names, " "), ".oldroot bin dev mnt proc run sys usr var"; got != want {
			t.Errorf("the root has %q, want %q", got, want)
		}
		if text, err := os.ReadFile(filepath.Join(tree.Dir, "bin/tool")); err != nil || len(text) == 0 {
			t.Errorf("by a link: %q, %v", text, err)
		}
		return tree.detach()
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Dir(tree.Dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
	for made, want := range map[string]bool{"var/lib/new": false, "var/www/new": true} {
		if _, err := os.Lstat(filepath.Join(content, made)); (err == nil) != want {
			t.Errorf("%s in the content: %v", made, err)
		}
	}
}

// TestHostileContent: whatever root inside puts in place of a mount point or of what is shown, nothing is mounted out
// of the tree, and what it names is not shown.
func TestHostileContent(t *testing.T) {
	outside := t.TempDir()
	lay(t, outside, "place/", "secret")
	for _, c := range []struct {
		name  string
		lay   []string
		mount Mount
	}{
		{"link as the place", []string{"srv/data -> " + outside + "/place"}, Mount{Target: "/srv/data"}},
		{"link on the way", []string{"srv/app -> " + outside}, Mount{Target: "/srv/app/place"}},
		{"relative link", []string{"srv/app -> ../../../../../.."}, Mount{Target: "/srv/app/tmp"}},
		{"link to init's directory", []string{"srv/data -> /run"}, Mount{Target: "/srv/data"}},
		{"dangling link for a file", []string{"srv/data -> " + outside + "/new"},
			Mount{Target: "/srv/data", Source: outside + "/secret"}},
		{"file in place of a directory", []string{"srv/data"}, Mount{Target: "/srv/data"}},
		{"nothing there", []string{"srv/"}, Mount{Target: "/srv/data/x"}},
		{"source is a link", []string{"srv/", "var -> " + outside}, Mount{Target: "/var", Below: "CONTENT", Source: "/var"}},
		{"source by a link", []string{"srv/", "var -> " + outside},
			Mount{Target: "/var", Below: "CONTENT", Source: "/var/place"}},
		{"source inside by a link", []string{"srv/data/", "srv/from -> " + outside},
			Mount{Target: "/srv/data", Inside: true, Source: "/srv/from/place"}},
		{"source in what it writes", []string{"srv/data/", "own/x -> " + outside},
			Mount{Target: "/srv/data", Source: "CONTENT/own/x/place"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, content := t.TempDir(), t.TempDir()
			lay(t, content, c.lay...)
			m := c.mount
			m.Below = strings.Replace(m.Below, "CONTENT", content, 1)
			m.Source = strings.Replace(m.Source, "CONTENT", content, 1)
			all := Content{
				View: View{Mounts: []Mount{
					{Target: "/run", Memory: 1 << 20, Mode: 0o755}, {Below: content, Source: "/srv", Target: "/srv"}, m,
				}},
				Untrusted: []string{content},
			}
			tree := Tree{Dir: filepath.Join(dir, ".root-web/tree"), Sandbox: "web"}
			err := inOwnMounts(t, func() error {
				if err := tree.makeDir(all.IDs); err != nil {
					return err
				}
				built := tree.build(&all)
				if built == nil {
					t.Error("it was mounted all the same")
				} else if !strings.HasPrefix(built.Error(), m.what()+": ") {
					t.Errorf("got %v", built)
				}
				mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
				if err == nil && strings.Contains(string(mounts), outside) {
					t.Errorf("something is mounted below %s", outside)
				}
				return errors.Join(err, tree.detach())
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(outside + "/new"); err == nil {
				t.Error("a file was made outside")
			}
		})
	}
}

// TestForbiddenPlaces: libvirt mounts there afterwards.
func TestForbiddenPlaces(t *testing.T) {
	for _, target := range []string{"/", "/dev/x", "/proc/x", "/sys", "/srv/../dev"} {
		if _, err := (&builder{root: -1}).openPoint(target, true); err == nil ||
			!strings.Contains(err.Error(), "choose another place") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// TestOpenTrusted: a link counts where the host's root alone can have made it.
func TestOpenTrusted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	lay(t, dir, "real/file", "link -> real", "absolute -> "+dir+"/real", "shared/to -> ../real", "others/to -> ../real",
		"container/sub/to -> ../../real",
		"another/to -> ../real", "loop -> loop", "up -> real/../real")
	if err := errors.Join(os.Chmod(dir+"/shared", 0o777), os.Chown(dir+"/others", 65534, -1)); err != nil {
		t.Fatal(err)
	}
	b := builder{content: &Content{
		Untrusted: []string{dir + "/container"}, Others: func() []string { return []string{dir + "/another"} },
	}}
	for name, ok := range map[string]bool{
		"/real/file": true, "/link/file": true, "/absolute/file": true, "/up/file": true, "/real/../link/file": true,
		"/shared/to/file": false, "/others/to/file": false, "/container/sub/to/file": false,
		"/another/to/file": false, "/loop/file": false,
		"/absent": false,
	} {
		fd, err := b.openTrusted(dir + name)
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		var got, want unix.Stat_t
		if err := errors.Join(unix.Fstat(fd, &got), unix.Stat(dir+"/real/file", &want)); err != nil || got.Ino != want.Ino {
			t.Errorf("%s leads to another file (%v)", name, err)
		}
		unix.Close(fd)
	}
}

// TestRemoveNothing: a container that is not started has no tree.
func TestRemoveNothing(t *testing.T) {
	if err := (Tree{Dir: filepath.Join(t.TempDir(), "tree/tree"), Sandbox: "web"}).Remove(); err != nil {
		t.Error(err)
	}
}

func TestFileSystem(t *testing.T) {
	if got := fileSystem("/proc"); got != "proc" {
		t.Errorf("/proc is %q", got)
	}
	if got := fileSystem("/absent"); got != "of unknown type" {
		t.Errorf("what is not there is %q", got)
	}
}
