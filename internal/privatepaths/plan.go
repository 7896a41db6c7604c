// SPDX-License-Identifier: Apache-2.0

// Package privatepaths decides which of the host's paths a sandbox has for itself. In: the host's root, its package
// databases and units; out: paths with their origins, and the files of packages below them. create, upgrade and content
// ask; it changes nothing.
package privatepaths

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// ErrNoOwner is returned by Plan for a unit that no package owns while no package is named.
var ErrNoOwner = errors.New("no package owns it")

// Planner is a host whose paths may become private.
type Planner struct {
	Root     string           // "" for the machine itself
	Packages []pkgdb.Database // in the order in which they are asked
}

// candidate is a path that may become private.
type candidate struct {
	path, origin string
}

// Plan is what units have for themselves of the host.
type Plan struct {
	Private []config.PrivatePath
	Left    []Left // by path
}

// Left is a path that configuration of the units names and that is left to the administrator.
type Left struct {
	Path string
	By   string // FILE:LINE of the configuration
	Why  string // what it is, as the end of "which is"
}

// Plan decides which paths of the host the units have for themselves, and where each comes from: what the packages own,
// what the units' directives name, what tmpfiles.d makes for them, what their packages' scripts made, and what the
// configuration among all that names. Below a private directory nothing is listed again. Errors: ErrNoOwner,
// pkgdb.ErrNoPackage.
func (h Planner) Plan(ctx context.Context, units []*unitfile.Unit, extra []string) (*Plan, error) {
	var all []candidate
	packages, err := h.packagesOf(ctx, units, extra)
	if err != nil {
		return nil, err
	}
	for _, set := range packages {
		owned, err := h.ownedPaths(ctx, set)
		if err != nil {
			return nil, err
		}
		all = append(all, owned...)
	}
	for _, u := range units {
		// ReadWritePaths=/var/lib would bring all services along, and the content of all sandboxes. /var/www is of the one
		// who has it as a working directory.
		ofAll := func(c candidate) bool { return isOfTheHost(c.path) && c.path != "/var/www" }
		all = append(append(all, slices.DeleteFunc(directivePaths(u), ofAll)...), h.givenPaths(u)...)
	}
	for _, set := range packages {
		for _, pkg := range set.packages {
			all = append(all, h.tmpfilesPaths(pkg)...)
		}
	}
	unowned, err := h.unownedPaths(ctx, units, packages)
	if err != nil {
		return nil, err
	}
	all = append(all, unowned...)
	named, left := h.namedPaths(collapse(all))
	all = append(all, named...)
	for _, p := range collapse(all) {
		all = append(all, h.linkedPaths(p.Path)...)
	}
	return &Plan{collapse(all), left}, nil
}

// isSecret reports whether a path of the host, or a directory above it, is closed to ordinary users.
func (h Planner) isSecret(p string) bool {
	for ; p != "/"; p = path.Dir(p) {
		info, err := os.Stat(h.Root + p)
		if err != nil || IsClosed(info) {
			return true
		}
	}
	return false
}

func ownerOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// IsClosed reports whether others than owner and group are kept out of a file or directory.
func IsClosed(info fs.FileInfo) bool {
	mode := info.Mode().Perm()
	return mode&0o004 == 0 || (info.IsDir() && mode&0o001 == 0)
}

// ownedPaths returns what the packages own below /etc and /var. A directory counts as theirs when most of what packages
// own there is theirs or of their sources, as /etc/httpd is though others put modules there; of directories that they
// only put something into, like /etc/default, their own files count.
func (h Planner) ownedPaths(ctx context.Context, set packageSet) ([]candidate, error) {
	var dirs []string
	for _, pkg := range set.packages {
		for _, f := range pkg.Below("/etc", "/var") {
			if h.isDir(f) && !isExcluded(f.Path) {
				dirs = append(dirs, f.Path)
			}
		}
	}
	if len(set.packages) == 0 {
		return nil, nil
	}
	tally, err := set.db.Tally(ctx, dirs...)
	if err != nil {
		return nil, err
	}
	related := make(map[string]bool) // by package name: whether it is in the set or of its sources
	for _, pkg := range set.packages {
		related[pkg.Name] = true
	}
	var all []candidate
	for _, pkg := range set.packages {
		for _, f := range pkg.Below("/etc", "/var") {
			if isExcluded(f.Path) || config.CheckPath(f.Path) != nil {
				continue
			}
			// Below /var it can be a directory that an administrator moved elsewhere.
			if f.Mode&fs.ModeSymlink != 0 && !pathname.IsBelow(f.Path, "/var") {
				continue
			}
			if h.isDir(f) {
				own, err := mostlyOurs(ctx, set, tally[f.Path], related)
				if err != nil {
					return nil, err
				}
				if !own {
					continue
				}
			}
			all = append(all, candidate{f.Path, "package:" + pkg.Name})
		}
	}
	return all, nil
}

func mostlyOurs(ctx context.Context, set packageSet, counts map[string]int, related map[string]bool) (bool, error) {
	ours, total := 0, 0
	for name, count := range counts {
		if _, known := related[name]; !known {
			stranger, err := set.db.Package(ctx, name)
			if err != nil {
				return false, err
			}
			related[name] = slices.ContainsFunc(set.packages, func(p *pkgdb.Package) bool {
				return p.Source != "" && p.Source == stranger.Source
			})
		}
		if related[name] {
			ours += count
		}
		total += count
	}
	return 2*ours > total, nil
}

// isDir trusts the host before the package, since dpkg does not record types and an administrator may have moved
// things.
func (h Planner) isDir(f pkgdb.File) bool {
	if info, err := os.Lstat(h.Root + f.Path); err == nil {
		return info.IsDir()
	}
	return f.Mode.IsDir()
}

// OwnFiles returns the files that every container has for itself, whatever it runs.
func OwnFiles() []string {
	return []string{"/etc/hostname", "/etc/machine-id", "/etc/fstab", "/etc/hosts", "/etc/passwd", "/etc/group",
		"/etc/shadow", "/etc/gshadow"}
}

// IsHostIdentity reports whether a file makes a host this host; a copy of it would let the container pose as it.
func IsHostIdentity(hostPath string) bool {
	match, _ := filepath.Match("/etc/ssh/ssh_host_*", hostPath)
	return match
}

// isExcluded reports whether a path that packages own is the host's business or the same for all.
func isExcluded(p string) bool {
	for _, prefix := range append(OwnFiles(), "/var/run", "/var/lock", "/var/log/journal",
		"/etc/logrotate.d", "/etc/pam.d", "/etc/init.d", "/etc/rc.d", "/etc/systemd") {
		if pathname.IsWithin(p, prefix) {
			return true
		}
	}
	return p == "/etc" || p == "/var"
}

// directivePaths returns what the unit itself says that it needs (systemd.exec(5), systemd.service(5)).
func directivePaths(u *unitfile.Unit) []candidate {
	var all []candidate
	add := func(directive, p string) {
		p = path.Clean(p)
		if path.IsAbs(p) && strings.Count(p, "/") >= 2 && config.CheckPath(p) == nil {
			all = append(all, candidate{p, "unit:" + u.Name + "/" + directive})
		}
	}
	for directive, base := range map[string]string{
		"StateDirectory": "/var/lib", "LogsDirectory": "/var/log", "CacheDirectory": "/var/cache",
		"ConfigurationDirectory": "/etc",
	} {
		for _, word := range u.Words(directive) {
			name, _, _ := strings.Cut(word, ":")
			if !filepath.IsLocal(name) {
				continue
			}
			if !pathname.IsBelow(path.Join(base, name), base) {
				continue
			}
			add(directive, base+"/"+name)
			if directive != "ConfigurationDirectory" && u.Bool("DynamicUser") {
				add(directive, base+"/private/"+name)
			}
		}
	}
	for _, directive := range []string{"WorkingDirectory", "EnvironmentFile", "ReadWritePaths", "PIDFile"} {
		for _, word := range u.Words(directive) {
			p := path.Clean(strings.TrimLeft(word, "-+"))
			switch {
			case isExcluded(p) || strings.ContainsAny(p, "*?["):
			case pathname.IsBelow(p, "/etc", "/var", "/srv") && (directive != "PIDFile" || pathname.IsBelow(p, "/var")):
				add(directive, p)
			case directive == "ReadWritePaths" &&
				!pathname.IsBelow(p, "/run", "/tmp", "/dev", "/proc", "/sys", "/usr", "/home", "/root"):
				add(directive, p)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return strings.Compare(a.path, b.path) })
	return all
}

// tmpfilesPaths returns what a package has systemd-tmpfiles make below /etc and /var (tmpfiles.d(5)).
func (h Planner) tmpfilesPaths(pkg *pkgdb.Package) []candidate {
	var all []candidate
	for _, f := range pkg.Below("/usr/lib/tmpfiles.d") {
		text, err := os.ReadFile(h.Root + f.Path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 2 || !strings.ContainsAny(fields[0][:1], "dDvqQefFC") || strings.ContainsAny(fields[1], "%*?[") {
				continue
			}
			if p := path.Clean(fields[1]); pathname.IsBelow(p, "/etc", "/var") && !isExcluded(p) && config.CheckPath(p) == nil {
				all = append(all, candidate{p, "tmpfiles:" + f.Path})
			}
		}
	}
	return all
}

// collapse keeps the topmost paths, each with the first origin that named it, and of those only what a config can hold.
func collapse(all []candidate) []config.PrivatePath {
	all = slices.DeleteFunc(all, func(c candidate) bool { return config.CheckPath(c.path) != nil })
	slices.SortStableFunc(all, func(a, b candidate) int { return strings.Compare(a.path+"/", b.path+"/") })
	var private []config.PrivatePath
	for _, c := range all {
		if n := len(private); n > 0 && pathname.IsWithin(c.path, private[n-1].Path) {
			continue
		}
		private = append(private, config.PrivatePath{Path: c.path, Origin: EscapeOrigin(c.origin)})
	}
	return private
}

// EscapeOrigin writes an origin in the characters that a config takes, the others as \xNN like systemd.unit(5) does.
func EscapeOrigin(origin string) string {
	var b strings.Builder
	for i := range len(origin) {
		c := origin[i]
		if ascii.IsAlphanumeric(c) || strings.IndexByte(`@+_.:~/\-`, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
