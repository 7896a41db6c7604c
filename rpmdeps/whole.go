package rpmdeps

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"

	rpmdb "github.com/knqyf263/go-rpmdb/pkg"

	"github.com/virt-sandbox/virt-sandbox/helper/content"
)

// wholeStore holds the ndb (SUSE) and bdb (RHEL 8 and older) formats, which the library reads only as a whole.
type wholeStore struct {
	packages []*content.Package
}

func openWhole(file string) (store, error) {
	db, err := rpmdb.Open(file)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	infos, err := db.ListPackages()
	if err != nil {
		return nil, err
	}
	s := &wholeStore{}
	for _, info := range infos {
		pkg, err := convert(info)
		if err != nil {
			return nil, err
		}
		s.packages = append(s.packages, pkg)
	}
	return s, nil
}

func (s *wholeStore) Close() error { return nil }

func (s *wholeStore) withBasename(_ context.Context, names []string) ([]*content.Package, error) {
	return s.where(func(pkg *content.Package) bool {
		return slices.ContainsFunc(pkg.Files, func(f content.File) bool {
			_, found := slices.BinarySearch(names, path.Base(f.Path))
			return found
		})
	}), nil
}

func (s *wholeStore) below(_ context.Context, dirs []string) ([]*content.Package, error) {
	return s.where(func(pkg *content.Package) bool { return len(pkg.Below(dirs...)) > 0 }), nil
}

func (s *wholeStore) withName(_ context.Context, name string) ([]*content.Package, error) {
	return s.where(func(pkg *content.Package) bool { return pkg.Name == name }), nil
}

func (s *wholeStore) where(matches func(*content.Package) bool) []*content.Package {
	var found []*content.Package
	for _, pkg := range s.packages {
		if matches(pkg) {
			found = append(found, pkg)
		}
	}
	return found
}

func convert(info *rpmdb.PackageInfo) (*content.Package, error) {
	pkg := &content.Package{Name: info.Name, Version: info.Version + "-" + info.Release, Source: sourceName(info.SourceRpm)}
	files, err := info.InstalledFiles()
	if err != nil {
		return nil, fmt.Errorf("files of %s: %w", info.Name, err)
	}
	for _, f := range files {
		file := content.File{
			Path: f.Path, Mode: unixMode(f.Mode), User: f.Username, Group: f.Groupname,
			Config: int32(f.Flags)&flagConfig != 0,
		}
		if file.Mode.IsRegular() && f.Digest != "" {
			file.Digest = digestName(int64(info.DigestAlgorithm)) + ":" + f.Digest
		}
		pkg.Files = append(pkg.Files, file)
	}
	return pkg, nil
}

// unixMode translates st_mode (inode(7)).
func unixMode(mode uint16) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & 0o170000 {
	case 0o040000:
		m |= fs.ModeDir
	case 0o120000:
		m |= fs.ModeSymlink
	case 0o060000:
		m |= fs.ModeDevice
	case 0o020000:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case 0o010000:
		m |= fs.ModeNamedPipe
	case 0o140000:
		m |= fs.ModeSocket
	}
	for bit, flag := range map[uint16]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= flag
		}
	}
	return m
}
