// SPDX-License-Identifier: Apache-2.0

// Package debdeps reads the dpkg database of a host: the status file, the lists of files and their digests. In: its
// directory; out: owners of paths and the files of packages, in the terms of pkgdb. Content planning calls it.
package debdeps

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// DefaultDir is where dpkg keeps its database.
const DefaultDir = "/var/lib/dpkg"

// ErrNoDatabase is returned by Open on a host that has no dpkg database.
var ErrNoDatabase = errors.New("no dpkg database")

// NewSuffix is what dpkg adds to the name of a new file that it puts beside a changed one
// (dpkg(1), --force-confold).
const NewSuffix = ".dpkg-dist"

// DB is the dpkg database. It satisfies pkgdb.Database.
type DB struct {
	dir      string
	root     string             // of the file system that the lists speak of
	packages map[string]*record // by the base name of their info files: NAME or NAME:ARCH

	lists func() ([]fileList, error) // all of them, read once

	// Few accounts own the thousands of files of a package, and each look-up reads a whole list of them.
	users, groups names
}

// fileList is what dpkg's list says of one package: its paths, each on a line.
type fileList struct {
	name, lines string
	unfinished  bool
}

// names are those of accounts, by their numbers.
type names struct {
	known sync.Map // of string, by uint32
}

// of returns the name of a number that look finds, or the number itself.
func (n *names) of(id uint32, look func(id string) (string, error)) string {
	if name, found := n.known.Load(id); found {
		return name.(string)
	}
	name := strconv.FormatUint(uint64(id), 10)
	if found, err := look(name); err == nil {
		name = found
	}
	n.known.Store(id, name)
	return name
}

// record is what the status file says of one package.
type record struct {
	name, version, source, arch string
	unfinished                  string            // its state, where not all its files are in place
	conffiles                   map[string]string // path → MD5 as shipped
	obsolete                    []string          // those of an earlier version
	depends                     []string
}

// Open reads the status file in dir; modes and owners, which dpkg does not record, come from the files below root.
// Errors: ErrNoDatabase.
func Open(dir, root string) (*DB, error) {
	data, err := os.ReadFile(filepath.Join(dir, "status"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoDatabase
	}
	if err != nil {
		return nil, fmt.Errorf("read dpkg database: %w", err)
	}
	db := &DB{dir: dir, root: root, packages: parseStatus(data)}
	if err := db.readUpdates(); err != nil {
		return nil, fmt.Errorf("read dpkg database: %w", err)
	}
	db.lists = sync.OnceValues(db.readLists)
	return db, nil
}

// readUpdates reads what a dpkg that runs, or was killed, has not put into the status file yet: a paragraph in each
// file, in the order of their numbers.
func (db *DB) readUpdates() error {
	dir := filepath.Join(db.dir, "updates")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") != "" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			// It has gone to the status file just now, which is to be read again by who wants the newest.
			continue
		}
		if err != nil {
			return err
		}
		addStatus(db.packages, data)
	}
	return nil
}

// Owners implements pkgdb.Database.
func (db *DB) Owners(ctx context.Context, paths ...string) (map[string][]string, error) {
	asked := make(map[string][]string) // spelling → paths as asked
	for _, p := range paths {
		for _, spelling := range pkgdb.Spellings(p) {
			asked[spelling] = append(asked[spelling], p)
		}
	}
	owners := make(map[string][]string)
	err := db.eachPath(ctx, true, func(name, p string) {
		for _, a := range asked[p] {
			if !slices.Contains(owners[a], name) {
				owners[a] = append(owners[a], name)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look up owners in the dpkg database: %w", err)
	}
	for _, names := range owners {
		slices.Sort(names)
	}
	return owners, nil
}

// Tally implements pkgdb.Database.
func (db *DB) Tally(ctx context.Context, dirs ...string) (map[string]map[string]int, error) {
	tally := make(map[string]map[string]int)
	for _, dir := range dirs {
		tally[dir] = make(map[string]int)
	}
	// Two architectures of a package may share paths.
	type owned struct{ dir, name, path string }
	counted := make(map[owned]bool)
	err := db.eachPath(ctx, false, func(name, p string) {
		for end := len(p); end > 0; end = strings.LastIndexByte(p[:end], '/') {
			dir := p[:end]
			if counts, asked := tally[dir]; asked && !counted[owned{dir, name, p}] {
				counted[owned{dir, name, p}] = true
				counts[name]++
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("count owners in the dpkg database: %w", err)
	}
	return tally, nil
}

// eachPath visits every path of every installed package, and of those that are so in part.
func (db *DB) eachPath(ctx context.Context, unfinished bool, visit func(name, p string)) error {
	lists, err := db.lists()
	if err != nil {
		return err
	}
	for _, list := range lists {
		if err := ctx.Err(); err != nil {
			return err
		}
		if list.unfinished && !unfinished {
			continue
		}
		for l := range strings.Lines(list.lines) {
			visit(list.name, strings.TrimSuffix(l, "\n"))
		}
	}
	return nil
}

func (db *DB) readLists() ([]fileList, error) {
	lists := make([]fileList, 0, len(db.packages))
	for key, r := range db.packages {
		data, err := os.ReadFile(db.info(key, "list"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lists = append(lists, fileList{r.name, string(data), r.unfinished != ""})
	}
	return lists, nil
}

// Package implements pkgdb.Database. Of a package installed for several architectures the host's own is taken.
func (db *DB) Package(_ context.Context, name string) (*pkgdb.Package, error) {
	key, found := db.key(name)
	if !found {
		return nil, fmt.Errorf("%s: %w", name, pkgdb.ErrNoPackage)
	}
	r := db.packages[key]
	switch r.unfinished {
	case "":
	case "unpacked":
		return nil, &pkgdb.UnfinishedError{Name: name, State: r.unfinished, Mend: "dpkg --configure " + name}
	default:
		return nil, &pkgdb.UnfinishedError{Name: name, State: r.unfinished, Mend: "apt-get install --reinstall " + name}
	}
	pkg := &pkgdb.Package{Name: r.name, Version: r.version, Source: r.source, Depends: r.depends}
	digests, err := db.md5sums(key)
	if err != nil {
		return nil, fmt.Errorf("look up %s in the dpkg database: %w", name, err)
	}
	data, err := os.ReadFile(db.info(key, "list"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look up %s in the dpkg database: %w", name, err)
	}
	for p := range strings.Lines(string(data)) {
		p = strings.TrimSuffix(p, "\n")
		if p == "/." || p == "" {
			continue
		}
		file := pkgdb.File{Path: p}
		if sum, ok := digests[p]; ok {
			file.Digest = "md5:" + sum
		}
		if sum, ok := r.conffiles[p]; ok {
			file.Digest, file.Config = "md5:"+sum, true
		}
		file.Obsolete = slices.Contains(r.obsolete, p)
		db.stat(&file)
		pkg.Files = append(pkg.Files, file)
	}
	for _, script := range []string{"preinst", "postinst"} {
		text, err := readScript(db.info(key, script))
		if err != nil {
			return nil, fmt.Errorf("look up %s in the dpkg database: %w", name, err)
		}
		if text != "" {
			pkg.Scripts = append(pkg.Scripts, text)
		}
	}
	return pkg, nil
}

// maxScript bounds what is read of a maintainer script, in bytes; a few are programs.
const maxScript = 256 << 10

// readScript reads the beginning of a maintainer script; "" where the package has none.
func readScript(file string) (string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxScript))
	return string(text), err
}

// NewSuffix implements pkgdb.Database.
func (db *DB) NewSuffix() string { return NewSuffix }

// key finds the package of a name: the one of dpkg's own architecture, or else the first.
func (db *DB) key(name string) (found string, ok bool) {
	native := ""
	if r := db.packages["dpkg"]; r != nil {
		native = r.arch
	}
	for key, r := range db.packages {
		if r.name != name {
			continue
		}
		if r.arch == native {
			return key, true
		}
		if !ok || key < found {
			found, ok = key, true
		}
	}
	return found, ok
}

// stat fills in what dpkg leaves to the file system; a file that is not there any more keeps only its path.
func (db *DB) stat(file *pkgdb.File) {
	p := filepath.Join(db.root, file.Path)
	info, err := os.Lstat(p)
	if err != nil {
		return
	}
	file.Mode = info.Mode()
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		file.User, file.Group = db.users.of(s.Uid, userName), db.groups.of(s.Gid, groupName)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		file.LinkTarget, _ = os.Readlink(p)
	}
}

func (db *DB) md5sums(key string) (map[string]string, error) {
	f, err := os.Open(db.info(key, "md5sums"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sums := make(map[string]string)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if sum, p, found := strings.Cut(lines.Text(), "  "); found {
			sums[path.Clean("/"+p)] = sum
		}
	}
	return sums, lines.Err()
}

func (db *DB) info(key, suffix string) string {
	return filepath.Join(db.dir, "info", key+"."+suffix)
}

func userName(id string) (string, error) {
	u, err := user.LookupId(id)
	if err != nil {
		return "", err
	}
	return u.Username, nil
}

func groupName(id string) (string, error) {
	g, err := user.LookupGroupId(id)
	if err != nil {
		return "", err
	}
	return g.Name, nil
}
