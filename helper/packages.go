package helper

import (
	"errors"

	"github.com/virt-sandbox/virt-sandbox/internal/debdeps"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/rpmdeps"
)

// Packages returns the package databases of this machine, RPM before dpkg. Each is opened when it is first asked, and asked
// a question only once, since many sandboxes of one service ask the same.
func Packages() []pkgdb.Database {
	return []pkgdb.Database{
		pkgdb.NewCache(pkgdb.NewLazy(rpmdeps.NewSuffix, func() (pkgdb.Database, error) {
			db, err := rpmdeps.Open(rpmdeps.Dirs()...)
			if errors.Is(err, rpmdeps.ErrNoDatabase) {
				return pkgdb.Empty{}, nil
			}
			return db, err
		})),
		pkgdb.NewCache(pkgdb.NewLazy(debdeps.NewSuffix, func() (pkgdb.Database, error) {
			db, err := debdeps.Open(debdeps.DefaultDir, "/")
			if errors.Is(err, debdeps.ErrNoDatabase) {
				return pkgdb.Empty{}, nil
			}
			return db, err
		})),
	}
}
