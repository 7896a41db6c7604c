// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// qcow2Header is a header as qemu-img writes it, with what a test changes.
func qcow2Header(version uint32, change func(header []byte)) []byte {
	header := make([]byte, 112)
	copy(header, qcow2Magic)
	binary.BigEndian.PutUint32(header[4:], version)
	binary.BigEndian.PutUint32(header[20:], 16)
	binary.BigEndian.PutUint64(header[24:], 1<<20)
	if version > 2 {
		binary.BigEndian.PutUint32(header[96:], 4)
		binary.BigEndian.PutUint32(header[100:], 112)
	}
	if change != nil {
		change(header)
	}
	return header
}

func features(bits uint64) func([]byte) {
	return func(header []byte) { binary.BigEndian.PutUint64(header[72:], bits) }
}

// qcow2Cases are headers, with what the message says; nothing where the image is taken.
func qcow2Cases() map[string]struct {
	header []byte
	want   string
} {
	type verdict = struct {
		header []byte
		want   string
	}
	backing := func(offset uint64) func([]byte) {
		return func(header []byte) { binary.BigEndian.PutUint64(header[8:], offset) }
	}
	return map[string]verdict{
		"version 3":                  {qcow2Header(3, nil), ""},
		"version 2":                  {qcow2Header(2, nil)[:72], ""},
		"version 2 with extensions":  {qcow2Header(2, features(1<<63|1<<2)), ""},
		"snapshots":                  {qcow2Header(3, func(h []byte) { h[63] = 7 }), ""},
		"dirty":                      {qcow2Header(3, features(1)), ""},
		"extended L2, compression":   {qcow2Header(3, features(1<<4|1<<3)), ""},
		"backing file":               {qcow2Header(3, backing(0x210)), "a backing file"},
		"backing file far off":       {qcow2Header(3, backing(1<<63)), "a backing file"},
		"backing file of version 2":  {qcow2Header(2, backing(0x60)), "a backing file"},
		"external data":              {qcow2Header(3, features(1<<2)), "another file"},
		"external data, and more":    {qcow2Header(3, features(1<<4|1<<2|1)), "another file"},
		"unknown feature":            {qcow2Header(3, features(1<<5)), "not known (0x20)"},
		"last feature":               {qcow2Header(3, features(1<<63)), "not known"},
		"AES":                        {qcow2Header(3, func(h []byte) { h[35] = 1 }), "encrypted"},
		"LUKS":                       {qcow2Header(2, func(h []byte) { h[35] = 2 }), "encrypted"},
		"version 1, which is qcow":   {qcow2Header(1, nil), "version 1"},
		"version 4":                  {qcow2Header(4, nil), "version 4"},
		"nothing":                    {nil, "not in qcow2"},
		"short":                      {qcow2Header(2, nil)[:71], "not in qcow2"},
		"version 3 that ends early":  {qcow2Header(3, nil)[:103], "cut short"},
		"another kind":               {bytes.Repeat([]byte("x"), 200), "not in qcow2"},
		"VMDK, with text for a name": {append([]byte("# Disk DescriptorFile\n"), qcow2Header(3, nil)...), "not in qcow2"},
	}
}

func TestCheckQCOW2(t *testing.T) {
	for name, c := range qcow2Cases() {
		err := checkQCOW2(bytes.NewReader(c.header))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestConnectRefusesOtherFiles: qemu-nbd never sees an image of qemu-img's own making that names another file.
func TestConnectRefusesOtherFiles(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("needs qemu-img")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	errRun := errors.New("qemu-nbd was to run")
	for name, c := range map[string]struct {
		options []string
		want    string // nothing: it is taken
	}{
		"plain":      {nil, ""},
		"old":        {[]string{"-o", "compat=0.10"}, ""},
		"new":        {[]string{"-o", "extended_l2=on"}, ""},
		"backed":     {[]string{"-b", dir + "/secret", "-F", "raw"}, "a backing file"},
		"backed-old": {[]string{"-o", "compat=0.10", "-b", dir + "/secret", "-F", "raw"}, "a backing file"},
		"data":       {[]string{"-o", "data_file=" + dir + "/data"}, "another file"},
	} {
		file := filepath.Join(dir, name+".qcow2")
		args := append(append([]string{"create", "-q", "-f", "qcow2"}, c.options...), file, "1M")
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, err := ConnectNBD(file, config.FormatQCOW2, func([]string) error { return errRun })
		refused := err != nil && strings.HasPrefix(err.Error(), "image "+file+": ") && !errors.Is(err, errRun)
		if c.want == "" && refused ||
			c.want != "" &&
				(!refused || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "qemu-img convert")) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// FuzzCheckQCOW2: whatever is taken has no field that makes QEMU open another file.
func FuzzCheckQCOW2(f *testing.F) {
	for _, c := range qcow2Cases() {
		f.Add(c.header)
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		err := checkQCOW2(bytes.NewReader(header))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("the message is nothing for a terminal: %q", err)
			}
			return
		}
		isV2 := bytes.HasPrefix(header, []byte("QFI\xfb\x00\x00\x00\x02"))
		if !isV2 && !bytes.HasPrefix(header, []byte("QFI\xfb\x00\x00\x00\x03")) {
			t.Errorf("%x is taken for qcow2", header)
		} else if !bytes.Equal(header[8:16], make([]byte, 8)) || !isV2 && header[79]&4 != 0 {
			t.Errorf("%x is taken, and names a file", header)
		}
	})
}
