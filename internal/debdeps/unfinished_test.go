// SPDX-License-Identifier: Apache-2.0

package debdeps

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// TestUnpackedPackage: a package that dpkg has not configured yet owns its files, and what there is to do is said; it
// counts for nothing else. Configured, it is as any other.
func TestUnpackedPackage(t *testing.T) {
	s := newSystem(t)
	web := deb{name: "web", arch: "all", conffiles: "/etc/web/web.conf\n", files: map[string]file{
		webUnit: {text: "unit\n", mode: 0o644}, "/etc/web/web.conf": {text: "Listen\n", mode: 0o644},
	}}
	s.dpkg("--unpack", web.build(t))
	db, ctx := s.open(), context.Background()
	if owners, err := db.Owners(ctx, webUnit); err != nil || len(owners[webUnit]) != 1 {
		t.Errorf("owners %v, %v", owners, err)
	}
	if tally, err := db.Tally(ctx, "/etc/web"); err != nil || len(tally["/etc/web"]) > 0 {
		t.Errorf("tally %v, %v", tally, err)
	}
	_, err := db.Package(ctx, "web")
	var unfinished *pkgdb.UnfinishedError
	if !errors.As(err, &unfinished) || !errors.Is(err, pkgdb.ErrNoPackage) ||
		!strings.Contains(err.Error(), `package web is unpacked; run "dpkg --configure web" first`) {
		t.Errorf("got %v", err)
	}
	s.dpkg("--configure", "web")
	if p, err := s.open().Package(ctx, "web"); err != nil || len(p.Files) == 0 {
		t.Errorf("configured: %+v, %v", p, err)
	}
}
