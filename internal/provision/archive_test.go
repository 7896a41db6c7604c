// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
)

// What export wrote, import makes again: the same one where it is not there any more, else one of its own.
func TestExportAndImport(t *testing.T) {
	needRoot(t)
	for _, compressed := range []bool{false, true} {
		h := newHost(t)
		s := h.create(t, "web")
		var archive bytes.Buffer
		if err := h.Export(t.Context(), ExportOptions{Name: "web", Zstd: compressed}, &archive); err != nil {
			t.Fatal(err)
		}
		data := archive.Bytes()
		other, err := h.Import(t.Context(), describe.ImportOptions{Name: "other", Base: h.content}, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if other.UUID == s.UUID || other.MachineID == s.MachineID {
			t.Errorf("beside the first: %+v", other)
		}
		if _, err := h.Delete(t.Context(), "web", "", false); err != nil {
			t.Fatal(err)
		}
		again, err := h.Import(t.Context(), describe.ImportOptions{Base: h.content}, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if again.UUID != s.UUID || again.MachineID != s.MachineID || again.Name != "web" {
			t.Errorf("in place of the first: %+v", again)
		}
		if _, err := os.Lstat(filepath.Join(again.Content, "etc/web/web.conf")); err != nil {
			t.Error(err)
		}
	}
}

func TestImportFails(t *testing.T) {
	needRoot(t)
	h := newHost(t)
	s := h.create(t, "web")
	var whole bytes.Buffer
	if err := h.Export(t.Context(), ExportOptions{Name: "web"}, &whole); err != nil {
		t.Fatal(err)
	}
	half := whole.Bytes()[:whole.Len()/2]
	_, err := h.Import(t.Context(), describe.ImportOptions{Name: "copy", Base: h.content}, bytes.NewReader(half))
	if err == nil {
		t.Error("half of an archive was imported")
	}
	h.isGone(t, "copy")
	// A config that asks for what is the host's needs trust.
	s.Mounts = []config.Mount{{Kind: "host-bind", Source: t.TempDir(), Target: "/srv"}}
	if err := h.Configs.Save(s); err != nil {
		t.Fatal(err)
	}
	whole.Reset()
	if err := h.Export(t.Context(), ExportOptions{Name: "web"}, &whole); err != nil {
		t.Fatal(err)
	}
	_, err = h.Import(t.Context(), describe.ImportOptions{Name: "copy", Base: h.content}, &whole)
	if !errors.Is(err, ErrBeyond) {
		t.Errorf("got %v", err)
	}
	h.isGone(t, "copy")
}

// What is no archive is refused before anything is locked or made.
func TestImportOfNoArchive(t *testing.T) {
	h := newHost(t)
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "read archive: it is empty"},
		{bytes.Repeat([]byte("text"), 400), "read archive: "},
		{[]byte{0x28, 0xb5, 0x2f, 0xfd}, "read archive: "},
	} {
		_, err := h.Import(t.Context(), describe.ImportOptions{Name: "copy", Base: h.content}, bytes.NewReader(c.data))
		says(t, err, c.want)
		h.isGone(t, "copy")
	}
}

func TestExportFails(t *testing.T) {
	h := newHost(t)
	err := h.Export(t.Context(), ExportOptions{Name: "none"}, io.Discard)
	if !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	h.create(t, "web")
	h.up = ErrRunning
	if err := h.Export(t.Context(), ExportOptions{Name: "web"}, io.Discard); !errors.Is(err, ErrRunning) {
		t.Errorf("of one that is up: %v", err)
	}
	needRoot(t)
	if err := h.Export(t.Context(), ExportOptions{Name: "web", Freeze: true}, io.Discard); err != nil || h.held != 0 {
		t.Errorf("of one that may be frozen: %v; %d are held", err, h.held)
	}
}

func FuzzOpenArchive(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Add([]byte(strings.Repeat("x", 512)))
	f.Fuzz(func(_ *testing.T, data []byte) {
		archive, end, err := openArchive(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer end()
		_, _, _ = readConfig(archive)
	})
}
