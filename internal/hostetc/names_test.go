// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// record is a struct linux_dirent64.
func record(ino uint64, kind uint8, text string) []byte {
	r := binary.NativeEndian.AppendUint64(nil, ino)
	r = binary.NativeEndian.AppendUint64(r, 0)
	size := (19 + len(text) + 1 + 7) / 8 * 8
	r = binary.NativeEndian.AppendUint16(r, uint16(size))
	r = append(append(r, kind), text...)
	return append(r, make([]byte, size-len(r))...)
}

func TestAppendNames(t *testing.T) {
	all := slices.Concat(record(1, unix.DT_DIR, "."), record(2, unix.DT_DIR, ".."), record(3, unix.DT_LNK, "link"),
		record(4, unix.DT_UNKNOWN, "a name that is long"), record(5, unix.DT_REG, "x"))
	want := []name{{"link", 3, unix.DT_LNK}, {"a name that is long", 4, unix.DT_UNKNOWN}, {"x", 5, unix.DT_REG}}
	if got := appendNames(nil, all); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	for cut := range all {
		appendNames(nil, all[:cut])
	}
}

// A directory that takes more than one call has all names, in their order.
func TestReadNames(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 900 {
		text := string([]byte{'a' + byte(i/100), 'a' + byte(i/10%10), 'a' + byte(i%10)}) + "-and-so-that-it-is-longer"
		if err := os.Symlink("x", filepath.Join(dir, text)); err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names, err := readNames(f)
	if err != nil || len(names) != len(want) {
		t.Fatalf("%d names, %v", len(names), err)
	}
	for i, n := range names {
		if n.text != want[i] || n.ino == 0 || n.kind != unix.DT_LNK && n.kind != unix.DT_UNKNOWN {
			t.Fatalf("name %d is %+v", i, n)
		}
	}
	file, err := os.Open(filepath.Join("/proc/self", "stat"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := readNames(file); err == nil {
		t.Error("a file has names")
	}
}

// What a file system does not tell of a name is looked at, with the same outcome.
func TestUnknownKinds(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("x", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names, err := readNames(f)
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	var found []string
	for _, kind := range []uint8{names[0].kind, unix.DT_UNKNOWN} {
		for _, keep := range []bool{true, false} {
			s := newScan(keep)
			if err := s.named(f, "link", name{"link", names[0].ino, kind}, 0); err != nil || s.count != 1 {
				t.Errorf("%d entries, %v", s.count, err)
			}
			found = append(found, s.name())
		}
	}
	if len(slices.Compact(found)) != 1 {
		t.Errorf("scans of a link that stays: %q", found)
	}
}
