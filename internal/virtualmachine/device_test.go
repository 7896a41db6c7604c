// SPDX-License-Identifier: Apache-2.0

package virtualmachine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestFindUse: the list of an initrd has a line for each use, and a use may be without modules.
func TestFindUse(t *testing.T) {
	const list = "start virtio_pci.ko ?9pnet.ko\n\next4 ext4.ko\nfs-none\nstarts other.ko\n"
	for _, c := range []struct {
		use   string
		words []string
		found bool
	}{
		{"start", []string{"virtio_pci.ko", "?9pnet.ko"}, true},
		{"ext4", []string{"ext4.ko"}, true},
		{"fs-none", nil, true},
		{"star", nil, false},
		{"", nil, false},
	} {
		if words, found := findUse(list, c.use); !slices.Equal(words, c.words) || found != c.found {
			t.Errorf("%q: %q, %v", c.use, words, found)
		}
	}
}

// TestByAttribute: a device is told by the whole of its attribute.
func TestByAttribute(t *testing.T) {
	dir := t.TempDir()
	for name, serial := range map[string]string{"vda": "disk1\n", "vdb": "disk10\n", "vdc": ""} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "serial"), []byte(serial), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for serial, want := range map[string]string{"disk1": "vda", "disk10": "vdb", "disk": ""} {
		if got, found := byAttribute(dir, "serial", serial); got != want || found != (want != "") {
			t.Errorf("%s: %q, %v", serial, got, found)
		}
	}
}

// TestFileSystem: a file system is told by its magic number, and a device may be too short to have one.
func TestFileSystem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "device")
	for _, s := range signatures() {
		data := append(make([]byte, s.offset), s.magic...)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if kind, err := fileSystem(file); kind != s.kind || err != nil {
			t.Errorf("%s: %q, %v", s.kind, kind, err)
		}
		if err := os.WriteFile(file, data[:len(data)-1], 0o644); err != nil {
			t.Fatal(err)
		}
		if kind, err := fileSystem(file); err == nil {
			t.Errorf("a part of %s: %q", s.kind, kind)
		}
	}
}
