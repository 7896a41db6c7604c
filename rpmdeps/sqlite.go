// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path"

	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// sqliteStore reads rpmdb.sqlite through its own indexes, so that one look-up does not read 2,000 headers.
type sqliteStore struct {
	db *sql.DB
}

func openSQLite(file string) (store, error) {
	// rpm keeps the database in WAL mode; a read-only open fails where the -shm file can't be made, and then nothing
	// is writing either, so that the file can be read as it is, unless a killed rpm has left changes in the log.
	modes := []string{"mode=ro", "immutable=1"}
	if log, err := os.Stat(file + "-wal"); err == nil && log.Size() > 0 {
		modes = modes[:1]
	}
	var failure error
	for _, mode := range modes {
		db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: mode}).String())
		if err != nil {
			return nil, err
		}
		var n int
		failure = db.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'Basenames'").Scan(&n)
		if failure == nil && n == 1 {
			return &sqliteStore{db}, nil
		}
		if failure == nil {
			failure = fmt.Errorf("it has no table Basenames")
		}
		db.Close()
	}
	return nil, failure
}

func (s *sqliteStore) Close() error { return s.db.Close() }

func (s *sqliteStore) withBasename(ctx context.Context, names []string) ([]*pkgdb.Package, error) {
	r := newReader(s.db)
	for _, name := range names {
		if err := r.read(ctx, "SELECT hnum FROM Basenames WHERE key = ?", name); err != nil {
			return nil, err
		}
	}
	return r.packages, nil
}

func (s *sqliteStore) withName(ctx context.Context, name string) ([]*pkgdb.Package, error) {
	r := newReader(s.db)
	err := r.read(ctx, "SELECT hnum FROM Name WHERE key = ?", name)
	return r.packages, err
}

func (s *sqliteStore) below(ctx context.Context, dirs []string) ([]*pkgdb.Package, error) {
	r := newReader(s.db)
	for _, dir := range dirs {
		// "0" follows "/" in ASCII: the range is all directories at or below dir.
		if err := r.read(ctx, "SELECT hnum FROM Dirnames WHERE key >= ? AND key < ?", dir+"/", dir+"0"); err != nil {
			return nil, err
		}
		// The directory itself is a base name of its parent.
		parent, base := path.Split(dir)
		const entry = "SELECT hnum FROM Dirnames WHERE key = ? INTERSECT SELECT hnum FROM Basenames WHERE key = ?"
		if err := r.read(ctx, entry, parent, base); err != nil {
			return nil, err
		}
	}
	return r.packages, nil
}

// reader collects packages, each once.
type reader struct {
	db       *sql.DB
	seen     map[int64]bool
	packages []*pkgdb.Package
}

func newReader(db *sql.DB) *reader { return &reader{db: db, seen: make(map[int64]bool)} }

// read adds the packages whose header numbers a query of the indexes gives.
func (r *reader) read(ctx context.Context, query string, arguments ...any) error {
	query = "SELECT hnum, blob FROM Packages WHERE hnum IN (" + query + ") ORDER BY hnum"
	rows, err := r.db.QueryContext(ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		var blob []byte
		if err := rows.Scan(&number, &blob); err != nil {
			return err
		}
		if r.seen[number] {
			continue
		}
		r.seen[number] = true
		pkg, err := decodeBlob(blob)
		if err != nil {
			return fmt.Errorf("header %d: %w", number, err)
		}
		r.packages = append(r.packages, pkg)
	}
	return rows.Err()
}
