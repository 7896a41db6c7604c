// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// fakeHost is a root directory of its own, with packages that exist in memory only.
type fakeHost struct {
	Planner
	t *testing.T
}

// newHost makes a host that has the files given, and accounts.
func newHost(t *testing.T, tree map[string]string, packages ...*pkgdb.Package) fakeHost {
	t.Helper()
	root := hosttest.Root(t, tree)
	return fakeHost{Planner{Root: root, Packages: []pkgdb.Database{hosttest.Packages(packages)}}, t}
}

func (h fakeHost) add(tree map[string]string) { h.t.Helper(); hosttest.Add(h.t, h.Root, tree) }

func (h fakeHost) close(paths ...string) { h.t.Helper(); hosttest.Close(h.t, h.Root, paths...) }

func (h fakeHost) unit() *unitfile.Unit {
	h.t.Helper()
	u, err := unitfile.Root(h.Root).Find("d", "box")
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

const (
	unitFile = "/usr/lib/systemd/system/d.service"
	bareUnit = "[Service]\nExecStart=/usr/sbin/d\n"
)
