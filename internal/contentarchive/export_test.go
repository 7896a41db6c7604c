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
