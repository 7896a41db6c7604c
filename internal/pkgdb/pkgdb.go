// SPDX-License-Identifier: Apache-2.0

// Package pkgdb has what all package databases have in common: packages and their files, how one is asked, and two
// databases made of another: one that is opened when it is first asked, and one that remembers its answers. In: a
// Database or the function that opens one; out: a Database. The readers rpmdeps and debdeps implement it, content asks.
package pkgdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// ErrNoPackage is returned by Database.Package for a package that is not installed.
var ErrNoPackage = errors.New("package is not installed")

// UnfinishedError is returned by Database.Package for a package that owns files and is not installed whole: its package
// manager was interrupted, or runs. It is an ErrNoPackage.
type UnfinishedError struct {
	Name, State string
	Mend        string // the command that ends what was begun
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("package %s is %s; run %q first", e.Name, e.State, e.Mend)
}

// Is reports whether an error is the one for packages that are not installed.
func (*UnfinishedError) Is(target error) bool { return target == ErrNoPackage }

// Database answers which package owns what, for one package format. Several goroutines may ask it at once.
type Database interface {
	// Owners returns, for each of paths that is owned at all, the names of its packages, also of those of which Package
	// returns an UnfinishedError. The two spellings of a path on
	// a host with merged /usr are one.
	Owners(ctx context.Context, paths ...string) (map[string][]string, error)
	// Tally counts, for each of dirs, the paths at and below it that each package owns.
	Tally(ctx context.Context, dirs ...string) (map[string]map[string]int, error)
	// Package describes an installed package. Errors: ErrNoPackage, *UnfinishedError.
	Package(ctx context.Context, name string) (*Package, error)
	// NewSuffix returns what the package manager adds to the name of a new file that it puts beside a changed one.
	NewSuffix() string
}

// Package is an installed package.
type Package struct {
	Name, Version string
	Source        string   // name of the source package
	Depends       []string // names and paths that it cannot be without, also of what is no package
	Files         []File
	Scripts       []string // text of what it runs when it is installed, as far as that is known
}

// File is one path of a package.
type File struct {
	Path        string
	Mode        fs.FileMode // with type bits
	User, Group string
	Config      bool   // an administrator's changes to it are kept on update
	Digest      string // "algorithm:hexadecimal" of the content as shipped; empty where the package says none
	LinkTarget  string // of a symbolic link
	Obsolete    bool   // an earlier version had it; this one has it no more
}

// Below returns the files that lie at or below one of roots.
func (p *Package) Below(roots ...string) []File {
	var files []File
	for _, f := range p.Files {
		for _, root := range roots {
			if f.Path == root || strings.HasPrefix(f.Path, root+"/") {
				files = append(files, f)
				break
			}
		}
	}
	return files
}

// Spellings returns the names that one file can have in a package database before and after the merge of /usr: what is
// below /bin, /sbin and /lib* may be recorded below /usr, and /usr/sbin as /usr/bin.
func Spellings(p string) []string {
	p = path.Clean(p)
	merged := p
	if first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/"); mergedIntoUsr(first) && p != "/"+first {
		merged = "/usr" + p
	}
	names := []string{p}
	add := func(name string) {
		for _, n := range names {
			if n == name {
				return
			}
		}
		names = append(names, name)
	}
	add(merged)
	rest, below := strings.CutPrefix(merged, "/usr/")
	if first, base, _ := strings.Cut(rest, "/"); below && mergedIntoUsr(first) && base != "" {
		add("/" + rest)
		switch first {
		case "bin":
			add("/usr/sbin/" + base)
			add("/sbin/" + base)
		case "sbin":
			add("/usr/bin/" + base)
			add("/bin/" + base)
		}
	}
	return names
}

func mergedIntoUsr(dir string) bool {
	switch dir {
	case "bin", "sbin", "lib", "lib32", "lib64", "libx32":
		return true
	}
	return false
}
