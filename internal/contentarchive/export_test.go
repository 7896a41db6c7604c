// SPDX-License-Identifier: Apache-2.0

package contentarchive

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
)

// TestExportOfDeepTree ends with a word, and not for want of descriptors.
func TestExportOfDeepTree(t *testing.T) {
	s := config.New("box")
	s.Content = t.TempDir()
	at := s.Content
	for range filetree.MaxDepth/50 + 1 {
		at += strings.Repeat("/d", 50)
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	err := Export(t.Context(), s, tar.NewWriter(io.Discard), nil)
	if !errors.Is(err, filetree.ErrTooDeep) || len(err.Error()) > 400 {
		t.Errorf("got %v", err)
	}
}

// TestExportOfHoles: a file that is long and takes nothing ends an export at once, by its name; usual holes do not.
func TestExportOfHoles(t *testing.T) {
	s := config.New("box")
	s.Content = t.TempDir()
	for name, size := range map[string]int64{"usual": 1 << 28, "long": 15 << 40} {
		file := s.Content + "/" + name
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, size)); err != nil {
			t.Skipf("the file system has no such file: %v", err)
		}
	}
	err := Export(t.Context(), s, tar.NewWriter(io.Discard), nil)
	if !errors.Is(err, ErrHollow) || !strings.Contains(err.Error(), "/long") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(s.Content + "/long"); err != nil {
		t.Fatal(err)
	}
	// It lacks a manifest, which comes last.
	if err := Export(t.Context(), s, tar.NewWriter(io.Discard), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without it: %v", err)
	}
	e := exporter{}
	for range 10_000 {
		if err := e.weigh(1<<62, 1); err == nil {
			t.Fatal("a file of 4 EiB is taken")
		}
	}
	for range 100 {
		if err := e.weigh(10<<30, 2<<20); err != nil {
			t.Fatalf("files of 10 GiB that take 1 GiB each: %v", err)
		}
	}
}
