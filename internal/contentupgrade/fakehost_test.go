// SPDX-License-Identifier: Apache-2.0

package contentupgrade

import (
	"context"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// fakeHost is a root directory of its own, with packages that exist in memory only.
type fakeHost struct {
	content.Host
	t *testing.T
}

func newHost(t *testing.T, tree map[string]string) fakeHost {
	t.Helper()
	return fakeHost{content.Host{Root: hosttest.Root(t, tree)}, t}
}

func (h fakeHost) put(p, text string) { h.t.Helper(); hosttest.Put(h.t, h.Root, p, text) }

// ship installs a version of a package: its files are on the host, and the database knows them.
func (h *fakeHost) ship(tree map[string]string) {
	h.t.Helper()
	h.Packages = []pkgdb.Database{hosttest.Packages{hosttest.Ship(h.t, h.Root, tree)}}
}

// box is a sandbox with private paths that are copied.
func box(t *testing.T, private ...string) *config.Sandbox {
	t.Helper()
	s := config.New("box")
	s.Command, s.MachineID, s.Copy = []string{"true"}, "0123456789abcdef0123456789abcdef", true
	s.Content = t.TempDir() + "/box"
	for _, p := range private {
		s.Private = append(s.Private, config.PrivatePath{Path: p, Origin: "package:d"})
	}
	return s
}

func prepare(t *testing.T, h fakeHost, s *config.Sandbox) {
	t.Helper()
	if err := h.Prepare(context.Background(), s, nil); err != nil {
		t.Fatal(err)
	}
}
