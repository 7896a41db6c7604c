// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// maxEntries bounds what is looked at of one directory for paths that nobody owns.
const maxEntries = 4096

// sharedBases are directories that many packages put theirs into, often by scripts that no package database knows of.
func sharedBases() []string {
	return []string{
		"/etc", "/etc/default", "/etc/sysconfig", "/srv", "/var", "/var/cache", "/var/games", "/var/lib", "/var/log",
		"/var/opt", "/var/spool", "/var/www",
	}
}

// unownedPaths returns what lies in shared directories though no package but theirs owns it, and is of the units: it
// belongs to an account that was made for them, or has their name. Maintainer scripts make such.
func (h Planner) unownedPaths(
	ctx context.Context, units []*unitfile.Unit, packages []packageSet,
) ([]candidate, error) {
	accounts := h.accountsOf(units, packages)
	names, err := namesOf(ctx, units, packages)
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, base := range sharedBases() {
		for _, e := range readSome(h.Root + base) {
			p := base + "/" + e.Name()
			info, err := e.Info()
			if err != nil || isExcluded(p) || config.CheckPath(p) != nil || slices.Contains(sharedBases(), p) {
				continue
			}
			if c, ok := attribute(p, info, accounts, names); ok {
				found = append(found, c)
			}
		}
	}
	return h.notOfOthers(ctx, found, packages)
}

// attribute says why a path of a shared directory is of the units, if it is. Of /var/log whole directories count: a
// file there is a log, which is no initial content.
func attribute(p string, info fs.FileInfo, accounts accounts, names map[string]string) (candidate, bool) {
	base := path.Dir(p)
	isLink := info.Mode()&fs.ModeSymlink != 0
	if base == "/var/log" && !info.IsDir() && !isLink || !info.IsDir() && !info.Mode().IsRegular() && !isLink {
		return candidate{}, false
	}
	// A link below /etc says the same for all, and where one leads elsewhere it is its target that counts.
	if isLink && pathname.IsBelow(p, "/etc") {
		return candidate{}, false
	}
	if info.IsDir() && !isLink {
		if origin, ours := accounts.ownerOf(info); ours {
			return candidate{p, origin}, true
		}
	}
	if owner, named := names[stem(path.Base(p), base == "/etc")]; named {
		return candidate{p, owner}, true
	}
	return candidate{}, false
}

// stem takes from the name of a file what says how it is used: memcached.conf and rsyncd.secrets of /etc.
func stem(name string, cut bool) string {
	if cut {
		name, _, _ = strings.Cut(name, ".")
	}
	return name
}

// notOfOthers leaves out what a package owns, or has something in, that is none of the units'. A directory below /etc
// in which their own packages have something is left to the rules for these.
func (h Planner) notOfOthers(ctx context.Context, found []candidate, packages []packageSet) ([]candidate, error) {
	if len(found) == 0 {
		return nil, nil
	}
	paths := make([]string, len(found))
	for i, c := range found {
		paths[i] = c.path
	}
	for i, db := range h.Packages {
		owners, err := db.Owners(ctx, paths...)
		if err != nil {
			return nil, err
		}
		below, err := db.Tally(ctx, paths...)
		if err != nil {
			return nil, err
		}
		isOurs := func(name string) bool {
			return slices.ContainsFunc(packages[i].packages, func(p *pkgdb.Package) bool { return p.Name == name })
		}
		found = slices.DeleteFunc(found, func(c candidate) bool {
			if len(owners[c.path]) > 0 {
				return !slices.ContainsFunc(owners[c.path], isOurs)
			}
			for name := range below[c.path] {
				if !isOurs(name) || pathname.IsBelow(c.path, "/etc") {
					return true
				}
			}
			return false
		})
	}
	return found, nil
}

// readSome lists the beginning of a directory; nothing of one that is not there.
func readSome(dir string) []fs.DirEntry {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxEntries)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries
}

// namesOf returns the names under which the units and their packages are known, each with the origin of a path that
// has it.
func namesOf(
	ctx context.Context, units []*unitfile.Unit, packages []packageSet,
) (map[string]string, error) {
	names := make(map[string]string)
	add := func(name, origin string) {
		for _, n := range []string{name, name + "d"} {
			if _, known := names[n]; len(name) >= 3 && !known {
				names[n] = origin
			}
		}
	}
	for _, set := range packages {
		for _, pkg := range set.packages {
			add(pkg.Name, "script:"+pkg.Name)
			if pkg.Source != "" {
				add(pkg.Source, "script:"+pkg.Name)
			}
		}
	}
	for _, u := range units {
		if name, err := unitname.Parse(u.Name); err == nil {
			add(name.Prefix(), "unit:"+u.Name+"/Name")
		}
		for _, set := range packages {
			if set.db == nil {
				continue
			}
			words := u.Words("ExecStart")
			if len(words) == 0 {
				continue
			}
			// An interpreter has the names of many.
			program := strings.TrimLeft(words[0], "-@:+!|")
			owners, err := set.db.Owners(ctx, program)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(set.packages, func(p *pkgdb.Package) bool {
				return slices.Contains(owners[program], p.Name)
			}) {
				add(path.Base(program), "unit:"+u.Name+"/ExecStart")
			}
		}
	}
	return names, nil
}

// accounts are users and groups that are there for the units, each with the origin of what belongs to it.
type accounts struct{ users, groups map[uint32]string }

// ownerOf gives the origin of what an account of the units owns.
func (a accounts) ownerOf(info fs.FileInfo) (origin string, ours bool) {
	stat := info.Sys().(*syscall.Stat_t)
	if origin, ours = a.users[stat.Uid]; !ours {
		origin, ours = a.groups[stat.Gid]
	}
	return origin, ours
}

// accountsOf finds the accounts that are there for the units: the users that they run as, and what the scripts and the
// sysusers.d of their packages add.
func (h Planner) accountsOf(units []*unitfile.Unit, packages []packageSet) accounts {
	all := accounts{make(map[uint32]string), make(map[uint32]string)}
	for _, u := range units {
		names := u.Words("User")
		if len(names) == 0 || u.Bool("DynamicUser") {
			continue
		}
		name := names[len(names)-1]
		if uid, found := account.UserID(h.Root, name); found && uid != 0 {
			all.users[uint32(uid)] = "user:" + name
		}
	}
	for _, set := range packages {
		for _, pkg := range set.packages {
			for _, name := range h.addedAccounts(pkg) {
				if uid, found := account.UserID(h.Root, name); found && uid != 0 && all.users[uint32(uid)] == "" {
					all.users[uint32(uid)] = "script:" + pkg.Name
				}
				if gid, found := account.GroupID(h.Root, name); found && gid != 0 && all.groups[uint32(gid)] == "" {
					all.groups[uint32(gid)] = "script:" + pkg.Name
				}
			}
		}
	}
	return all
}
