// SPDX-License-Identifier: Apache-2.0

package content

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// fakeHost is a root directory of its own, without packages.
type fakeHost struct {
	Host
	t *testing.T
}

// newHost makes a host that has the files given, and accounts.
func newHost(t *testing.T, tree map[string]string) fakeHost {
	t.Helper()
	root := hosttest.Root(t, tree)
	return fakeHost{Host{Root: root, Packages: []pkgdb.Database{hosttest.Packages{}}}, t}
}

func (h fakeHost) add(tree map[string]string) { h.t.Helper(); hosttest.Add(h.t, h.Root, tree) }

func (h fakeHost) close(paths ...string) { h.t.Helper(); hosttest.Close(h.t, h.Root, paths...) }

const (
	unitFile = "/usr/lib/systemd/system/d.service"
	bareUnit = "[Service]\nExecStart=/usr/sbin/d\n"
)

// put is add that takes the place of what is there.
func (h *fakeHost) put(p, text string) { h.t.Helper(); hosttest.Put(h.t, h.Root, p, text) }

// edit writes a file of the content as root in the container would.
func edit(t *testing.T, s *config.Sandbox, p, text string) {
	t.Helper()
	hosttest.Edit(t, s.Content, p, text)
}
