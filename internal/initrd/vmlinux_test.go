// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is an ELF file with a note.
func program(name string, kind uint32) []byte {
	const headerSize, programSize = 64, 56
	var note bytes.Buffer
	for _, n := range []uint32{uint32(len(name)), 4, kind} {
		_ = binary.Write(&note, binary.LittleEndian, n)
	}
	note.WriteString(name)
	note.Write(make([]byte, -note.Len()&3))
	note.Write([]byte{1, 2, 3, 4})
	b := make([]byte, headerSize+programSize)
	copy(b, elfMagic+"\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], 2)  // executable
	le.PutUint16(b[18:], 62) // x86-64
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[32:], headerSize)
	le.PutUint16(b[52:], headerSize)
	le.PutUint16(b[54:], programSize)
	le.PutUint16(b[56:], 1)
	le.PutUint32(b[headerSize:], 4) // note
	le.PutUint64(b[headerSize+8:], headerSize+programSize)
	le.PutUint64(b[headerSize+32:], uint64(note.Len()))
	return append(b, note.Bytes()...)
}

// image is a bzImage with a payload.
func image(payload []byte, length int) []byte {
	b := make([]byte, 5*sectorSize)
	b[setupSectorsAt] = 3
	copy(b[magicAt:], "HdrS")
	binary.LittleEndian.PutUint16(b[versionAt:], 0x20f)
	binary.LittleEndian.PutUint32(b[payloadOffsetAt:], sectorSize)
	binary.LittleEndian.PutUint32(b[payloadLengthAt:], uint32(length))
	return append(b, payload...)
}

func TestUnpackImage(t *testing.T) {
	kernel := program("Xen\x00", noteEntry)
	size := []byte{1, 0, 0, 0}
	whole := func(payload []byte) []byte { return image(payload, len(payload)) }
	old := whole(append(packXZ(t, kernel), size...))
	binary.LittleEndian.PutUint16(old[versionAt:], 0x207)
	cases := []struct {
		name  string
		image []byte
		want  []byte
		fails bool
	}{
		{"xz", whole(append(packXZ(t, kernel), size...)), kernel, false},
		{"xz of a kernel", whole(append(packBranches(t, kernel), size...)), kernel, false},
		{"zstd", whole(append(packZstd(t, kernel), size...)), kernel, false},
		{"gzip", whole(packGzip(t, kernel)), kernel, false},
		{"not packed", whole(append(bytes.Clone(kernel), size...)), kernel, false},
		{"no entry", whole(packGzip(t, program("Xen\x00", 17))), nil, false},
		{"note of another", whole(packGzip(t, program("GNU\x00", noteEntry))), nil, false},
		{"unknown packing", whole([]byte("\x02!L\x18 lz4")), nil, false},
		{"old protocol", old, nil, false},
		{"short", old[:headerEnd-1], nil, false},
		{"no image", []byte("anything"), nil, false},
		{"cut off", image(packGzip(t, kernel), 1<<20), nil, true},
		{"damaged", whole(packGzip(t, kernel)[:40]), nil, true},
		{"no payload", image(nil, 0), nil, true},
	}
	for _, c := range cases {
		got, err := unpackImage(c.image)
		if !bytes.Equal(got, c.want) || (err != nil) != c.fails {
			t.Errorf("%s: got %d bytes, %v", c.name, len(got), err)
		}
	}
}

// packBranches packs as the kernel's build does, with the filter for machine code.
func packBranches(t *testing.T, data []byte) []byte {
	command := exec.Command("xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB", "-c")
	command.Stdin = bytes.NewReader(data)
	out, err := command.Output()
	if err != nil {
		t.Skipf("xz(1): %v", err)
	}
	return out
}

// TestKernelFile: an image that cannot be unpacked is copied, and as secret as it was.
func TestKernelFile(t *testing.T) {
	k, _ := installed(t)
	c := cache(t)
	for _, mode := range []os.FileMode{0o600, 0o644, 0o640} {
		if err := os.Chmod(k.Image, mode); err != nil {
			t.Fatal(err)
		}
		file, err := c.Kernel(k, "")
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil || string(data) != "an image that is none" {
			t.Errorf("%v: %q, %v", mode, data, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%v became %v, %v", mode, info.Mode(), err)
		}
	}
	write(t, k.Image, image(packGzip(t, program("Xen\x00", noteEntry)), len(packGzip(t, program("Xen\x00", noteEntry)))))
	file, err := c.Kernel(k, "")
	if data, _ := os.ReadFile(file); err != nil || !bytes.Equal(data, program("Xen\x00", noteEntry)) {
		t.Errorf("unpacked %d bytes, %v", len(data), err)
	}
	if others, err := c.Kernel(k, "+1000:+100"); err != nil || others == file {
		t.Errorf("another account boots %s, %v", others, err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.dir, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func FuzzUnpackImage(f *testing.F) {
	f.Add(image([]byte("payload!"), 8))
	f.Add(image(program("Xen\x00", noteEntry), 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		kernel, err := unpackImage(data)
		if err == nil && kernel != nil && !hasPVHEntry(kernel) {
			t.Fatal("what cannot be started was given")
		}
	})
}
