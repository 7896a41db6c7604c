// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

func TestDamagedDatabase(t *testing.T) {
	dir := hostDatabase(t)
	all := records(t, dir)
	sqlite := readAll(t, filepath.Join(dir, "rpmdb.sqlite"))
	ndb := readAll(t, filepath.Join(ndbDatabase(t, all), "Packages.db"))
	bdb := readAll(t, filepath.Join(bdbDatabase(t, all, 4096), "Packages"))
	damagedHeader := func(blob []byte) []record { return []record{{1, blob}} }
	tests := []struct {
		name, file string
		data       []byte
	}{
		{"sqlite, empty", "rpmdb.sqlite", nil},
		{"sqlite, other content", "rpmdb.sqlite", bytes.Repeat([]byte("x"), 8192)},
		{"sqlite, half", "rpmdb.sqlite", sqlite[:len(sqlite)/2]},
		{"sqlite, overwritten after the schema", "rpmdb.sqlite", overwrite(sqlite, 4096*3)},
		{"ndb, empty", "Packages.db", nil},
		{"ndb, other content", "Packages.db", bytes.Repeat([]byte("x"), 8192)},
		{"ndb, no headers", "Packages.db", ndb[:ndbPageSize]},
		{"ndb, half", "Packages.db", ndb[:len(ndb)/2]},
		{"ndb, overwritten slots", "Packages.db", overwrite(ndb, 100)},
		{"ndb, overwritten headers", "Packages.db", overwrite(ndb, ndbPageSize)},
		{"ndb, a header too short", "Packages.db", readAll(t, filepath.Join(ndbDatabase(t, damagedHeader(all[0].blob[:7])),
			"Packages.db"))},
		{"bdb, empty", "Packages", nil},
		{"bdb, other content", "Packages", bytes.Repeat([]byte("x"), 8192)},
		{"bdb, half", "Packages", bdb[:len(bdb)/2]},
		{"bdb, overwritten", "Packages", overwrite(bdb, 4096)},
		{"bdb, half a header", "Packages", readAll(t, filepath.Join(bdbDatabase(t, damagedHeader(all[0].blob[:1000]), 4096),
			"Packages"))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), test.file)
			writeFile(t, file, string(test.data))
			if err := use(filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want an error that names %s", err, file)
			}
		})
	}
}

func TestDamagedHeader(t *testing.T) {
	tests := []struct {
		name, change string
	}{
		{"empty", "zeroblob(0)"},
		{"short", "substr(blob, 1, 7)"},
		{"cut off", "substr(blob, 1, length(blob) - 1000)"},
		{"zeros", "zeroblob(length(blob))"},
		{"text", "'text'"},
		{"more entries than fit", "x'0000ffff' || substr(blob, 5)"},
		{"more data than fits", "substr(blob, 1, 4) || x'01ffffff' || substr(blob, 9)"},
		{"more than memory has", "x'ffffffffffffffff' || substr(blob, 9)"},
	}
	host := hostDatabase(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "rpmdb.sqlite")
			copyFile(t, filepath.Join(host, "rpmdb.sqlite"), file)
			db, err := sql.Open("sqlite", file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("UPDATE Packages SET blob = CAST(" + test.change + " AS BLOB)"); err != nil {
				t.Fatal(err)
			}
			db.Close()
			if err := use(dir); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want an error that names %s", err, file)
			}
		})
	}
}

// TestAnyDamage overwrites each place in turn. What comes out doesn't matter, as long as it comes.
func TestAnyDamage(t *testing.T) {
	all := records(t, hostDatabase(t))
	step := 61
	if testing.Short() {
		step = 601
	}
	for file, dir := range map[string]string{"Packages.db": ndbDatabase(t, all), "Packages": bdbDatabase(t, all, 4096)} {
		t.Run(file, func(t *testing.T) {
			data := readAll(t, filepath.Join(dir, file))
			changed := filepath.Join(t.TempDir(), file)
			failures := 0
			for at := 0; at < len(data); at += step {
				for _, b := range []byte{0, 0x7f, 0xff} {
					damaged := bytes.Clone(data)
					damaged[at] = b
					writeFile(t, changed, string(damaged))
					if use(filepath.Dir(changed)) != nil {
						failures++
					}
				}
			}
			if failures == 0 {
				t.Error("no damage was noticed")
			}
		})
	}
}

// use gives the first error of an ordinary use of a database.
func use(dir string) error {
	ctx := context.Background()
	db, err := Open(dir)
	if err != nil {
		return err
	}
	defer db.Close()
	_, owners := db.Owners(ctx, webUnit)
	_, tally := db.Tally(ctx, "/etc")
	_, pkg := db.Package(ctx, "httpd")
	if errors.Is(pkg, pkgdb.ErrNoPackage) {
		pkg = nil
	}
	return errors.Join(owners, tally, pkg)
}

// overwrite returns data with other content from a place on.
func overwrite(data []byte, from int) []byte {
	return append(bytes.Clone(data[:from]), bytes.Repeat([]byte{0xa5}, len(data)-from)...)
}
