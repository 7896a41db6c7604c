// SPDX-License-Identifier: Apache-2.0

package memoryfs

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace runs a script in a mount namespace of its own, as a container's root would, and returns the container
// once the script has said that it is ready.
func inNamespace(t *testing.T, script string) Container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	c := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec", script+"\necho ready; read stays")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = c.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	root, err := os.OpenFile(filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "root"), unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return Container{root, c.Process.Pid}
}

func (c Container) sizeOf(t *testing.T, path string) uint64 {
	t.Helper()
	fd, err := c.open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var s unix.Statfs_t
	if err := unix.Fstatfs(fd, &s); err != nil {
		t.Fatal(err)
	}
	return s.Blocks * uint64(s.Bsize)
}

// TestResize: file systems in memory get other sizes and keep what they hold, and get their old ones back.
func TestResize(t *testing.T) {
	dir := t.TempDir()
	c := inNamespace(t, "cd "+dir+"; mkdir a b; mount -t tmpfs -o size=4M,mode=700 t a; mount -t tmpfs -o size=8M t b; "+
		"head -c 3M /dev/zero >a/x")
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	undo, err := c.Resize([]Size{{a, 16 << 20}, {b, 4 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	if c.sizeOf(t, a) != 16<<20 || c.sizeOf(t, b) != 4<<20 {
		t.Errorf("sizes %d, %d", c.sizeOf(t, a), c.sizeOf(t, b))
	}
	if err := undo(); err != nil || c.sizeOf(t, a) != 4<<20 || c.sizeOf(t, b) != 8<<20 {
		t.Errorf("undone: %v, sizes %d, %d", err, c.sizeOf(t, a), c.sizeOf(t, b))
	}
	// All of them or none.
	if _, err := c.Resize([]Size{{b, 16 << 20}, {a, 1 << 20}}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("less than is in use: %v", err)
	}
	if c.sizeOf(t, a) != 4<<20 || c.sizeOf(t, b) != 8<<20 {
		t.Errorf("refused: sizes %d, %d", c.sizeOf(t, a), c.sizeOf(t, b))
	}
}

// TestResizeOfHostile: what root inside has put in the place of a file system is left alone.
func TestResizeOfHostile(t *testing.T) {
	dir := t.TempDir()
	host := filepath.Join(dir, "host")
	if os.Geteuid() == 0 {
		if err := os.Mkdir(host, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("t", host, "tmpfs", 0, "size=4M"); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(host, unix.MNT_DETACH) })
	}
	c := inNamespace(t, "cd "+dir+"; mkdir a b own; mount --bind host a; ln -s host link; mount -t proc p b; "+
		"mount -t tmpfs t own; mkdir own/below part; mount --bind own/below part")
	for path, want := range map[string]string{
		"a": "is the host's", "b": "not in memory", "link": "not a directory", "link/": "symbolic links",
		"absent": "no such file", "own/below": "invalid argument", "part": "not in memory",
	} {
		_, err := c.Resize([]Size{{filepath.Join(dir, "own"), 2 << 20}, {dir + "/" + path, 16 << 20}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	var s unix.Statfs_t
	if err := unix.Statfs(host, &s); err != nil || s.Blocks*uint64(s.Bsize) != 4<<20 {
		t.Errorf("the host's has %d, %v", s.Blocks*uint64(s.Bsize), err)
	}
}
