// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/cavaliergopher/rpm"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// Tags, types and flags of the RPM header (rpm's documents "RPM package tags", "RPM v4 package format" and "RPM file
// flags").
const (
	tagPreInstall      = 1023
	tagPostInstall     = 1024
	tagFileModes       = 1030
	tagFileDigests     = 1035
	tagFileLinks       = 1036
	tagFileFlags       = 1037
	tagFileUsers       = 1039
	tagFileGroups      = 1040
	tagRequireName     = 1049
	tagDirIndexes      = 1116
	tagBaseNames       = 1117
	tagDirNames        = 1118
	tagPostTransaction = 1152
	tagDigestAlgorithm = 5011

	typeInt16       = 3
	typeInt32       = 4
	typeString      = 6
	typeStringArray = 8
	typeI18NString  = 9

	flagConfig = 1 << 0

	headerMaxIndex = 1 << 16
	headerMaxData  = 32 << 20
	headerMax      = 8 + entrySize*headerMaxIndex + headerMaxData
	entrySize      = 16

	// What comes before the header in a .rpm file: the lead, and the signature, which has the form of a header (rpm's
	// document "RPM v4 package format").
	leadSize    = 96
	leadMagic   = "\xed\xab\xee\xdb\x03\x00"
	headerMagic = "\x8e\xad\xe8\x01\x00\x00\x00\x00"

	panicked = "header that the library cannot read" // of the error when it did
)

// neededTags are name, version, release, source RPM, what it requires, and what is known of the files.
func neededTags() []uint32 {
	return []uint32{
		1000, 1001, 1002, 1044, tagRequireName, tagPreInstall, tagPostInstall, tagPostTransaction,
		tagFileModes, tagFileDigests, tagFileLinks, tagFileFlags, tagFileUsers, tagFileGroups,
		tagDirIndexes, tagBaseNames, tagDirNames, tagDigestAlgorithm,
	}
}

// decodeBlob describes the package whose header is a value of the database: the header of its .rpm file without the
// magic. The library reads whole files only, so the parts before the header are supplied empty.
func decodeBlob(blob []byte) (pkg *pkgdb.Package, err error) {
	index, data, err := trim(blob)
	if err != nil {
		return nil, err
	}
	defer func() {
		if problem := recover(); problem != nil {
			pkg, err = nil, fmt.Errorf("%s: %v", panicked, problem)
		}
	}()
	lead := make([]byte, leadSize)
	copy(lead, leadMagic)
	emptySignature := append([]byte(headerMagic), make([]byte, 8)...)
	sizes := binary.BigEndian.AppendUint32(nil, uint32(len(index)/entrySize))
	sizes = binary.BigEndian.AppendUint32(sizes, uint32(len(data)))
	header, err := rpm.Read(fullReader{io.MultiReader(
		bytes.NewReader(lead), bytes.NewReader(emptySignature),
		strings.NewReader(headerMagic), bytes.NewReader(sizes), bytes.NewReader(index), bytes.NewReader(data),
	)})
	if err != nil {
		return nil, err
	}
	files, err := filesOf(&header.Header)
	if err != nil {
		return nil, err
	}
	if header.Name() == "" {
		return nil, errors.New("header names no package")
	}
	return &pkgdb.Package{
		Name:    header.Name(),
		Version: header.Version() + "-" + header.Release(),
		Source:  sourceName(header.SourceRPM()),
		Files:   files,
		Depends: dependsOf(&header.Header),
		Scripts: scriptsOf(&header.Header),
	}, nil
}

// architecture is what a name ends with that is required of one architecture: mariadb-common(x86-64).
var architecture = regexp.MustCompile(`^([^(]+)\([A-Za-z0-9_]+-(?:32|64)\)$`)

// dependsOf returns the names that the package requires, and the paths below /etc and /var, without those of programs,
// libraries and features.
func dependsOf(header *rpm.Header) (names []string) {
	for _, name := range header.GetTag(tagRequireName).StringSlice() {
		if ofOne := architecture.FindStringSubmatch(name); ofOne != nil {
			name = ofOne[1]
		}
		isConfig := strings.HasPrefix(name, "/etc/") || strings.HasPrefix(name, "/var/")
		if (isConfig || !strings.ContainsAny(name, "(/")) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// scriptsOf returns the scriptlets that make accounts and directories when the package is installed.
func scriptsOf(header *rpm.Header) (scripts []string) {
	for _, tag := range []int{tagPreInstall, tagPostInstall, tagPostTransaction} {
		if text := header.GetTag(tag).String(); text != "" {
			scripts = append(scripts, text)
		}
	}
	return scripts
}

// fullReader fills each read, since the library takes short ones for whole ones.
type fullReader struct{ r io.Reader }

func (f fullReader) Read(p []byte) (int, error) { return io.ReadFull(f.r, p) }

// trim returns the data of a header and the entries of its index that are needed. The library makes room for as much as
// an entry claims to have, so it is given only what was checked; and most of a header is of no use here.
func trim(blob []byte) (index, data []byte, err error) {
	if len(blob) < 8 {
		return nil, nil, fmt.Errorf("header of %d bytes is too short", len(blob))
	}
	count, size := binary.BigEndian.Uint32(blob), binary.BigEndian.Uint32(blob[4:])
	if count > headerMaxIndex || size > headerMaxData || uint64(len(blob)) < 8+entrySize*uint64(count)+uint64(size) {
		return nil, nil, fmt.Errorf("header says %d entries and %d bytes, which do not fit", count, size)
	}
	all := blob[8 : 8+entrySize*count]
	data = blob[8+entrySize*count:][:size]
	// A tag that rpm changed after the build occurs twice, and the later entry counts.
	entries := make(map[uint32][]byte)
	for ; len(all) > 0; all = all[entrySize:] {
		entries[binary.BigEndian.Uint32(all)] = all[:entrySize]
	}
	for _, tag := range neededTags() {
		entry, found := entries[tag]
		if !found {
			continue
		}
		if err := checkEntry(entry, data); err != nil {
			return nil, nil, fmt.Errorf("header has a damaged tag %d: %w", tag, err)
		}
		index = append(index, entry...)
	}
	return index, data, nil
}

// checkEntry refuses an entry whose values are not all in the data.
func checkEntry(entry, data []byte) error {
	kind, offset := binary.BigEndian.Uint32(entry[4:]), binary.BigEndian.Uint32(entry[8:])
	count := binary.BigEndian.Uint32(entry[12:])
	if uint64(offset) > uint64(len(data)) {
		return fmt.Errorf("it is at %d of %d bytes", offset, len(data))
	}
	rest := data[offset:]
	var fits bool
	switch kind {
	case typeInt16:
		fits = uint64(count)*2 <= uint64(len(rest))
	case typeInt32:
		fits = uint64(count)*4 <= uint64(len(rest))
	case typeString, typeStringArray, typeI18NString:
		fits = true
		for n := count; n > 0 && fits; n-- {
			_, rest, fits = bytes.Cut(rest, []byte{0})
		}
	default:
		return fmt.Errorf("it is of the type %d", kind)
	}
	if !fits {
		return fmt.Errorf("not all of its %d values are there", count)
	}
	return nil
}

// filesOf puts the files together from the columns in which the header has them.
func filesOf(header *rpm.Header) ([]pkgdb.File, error) {
	names, dirs := header.GetTag(tagBaseNames).StringSlice(), header.GetTag(tagDirNames).StringSlice()
	dirOf := header.GetTag(tagDirIndexes).Int64Slice()
	if len(dirOf) != len(names) {
		return nil, fmt.Errorf("header has %d files and %d directories of files", len(names), len(dirOf))
	}
	list := make([]pkgdb.File, len(names))
	length := 0
	for i, name := range names {
		if dirOf[i] < 0 || dirOf[i] >= int64(len(dirs)) {
			return nil, fmt.Errorf("header has no directory %d of the file %s", dirOf[i], name)
		}
		list[i].Path = dirs[dirOf[i]] + name
		if length += len(list[i].Path); length > 2*headerMaxData {
			return nil, fmt.Errorf("header has more than %d bytes of paths", 2*headerMaxData)
		}
	}
	algorithm := digestName(header.GetTag(tagDigestAlgorithm).Int64())
	modes, flags := header.GetTag(tagFileModes).Int64Slice(), header.GetTag(tagFileFlags).Int64Slice()
	users, groups := header.GetTag(tagFileUsers).StringSlice(), header.GetTag(tagFileGroups).StringSlice()
	digests, links := header.GetTag(tagFileDigests).StringSlice(), header.GetTag(tagFileLinks).StringSlice()
	for what, have := range map[string]int{
		"modes": len(modes), "flags": len(flags), "users": len(users), "groups": len(groups), "digests": len(digests),
		"link targets": len(links),
	} {
		if have != len(names) && (have != 0 || what == "modes") {
			return nil, fmt.Errorf("header has %d files and %d %s", len(names), have, what)
		}
	}
	for i := range list {
		f := &list[i]
		f.Mode, f.Config = unixMode(uint16(modes[i])), at(flags, i)&flagConfig != 0
		f.User, f.Group, f.LinkTarget = at(users, i), at(groups, i), at(links, i)
		if digest := at(digests, i); f.Mode.IsRegular() && digest != "" {
			f.Digest = algorithm + ":" + digest
		}
	}
	return list, nil
}

// at gives a value of a column, which rpm may leave out as a whole.
func at[T any](column []T, i int) (value T) {
	if i < len(column) {
		value = column[i]
	}
	return value
}

// sourceName cuts version and release from the name of a source RPM: httpd-2.4.62-1.fc41.src.rpm is of httpd.
// The keys that rpm records like packages are of "(none)".
func sourceName(file string) string {
	if file == "(none)" {
		return ""
	}
	name := strings.TrimSuffix(strings.TrimSuffix(file, ".rpm"), ".src")
	for range 2 {
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
	}
	return name
}

// digestName names a hash of RFC 4880 section 9.4, which RPM's header refers to; 0 is the MD5 of old packages.
func digestName(algorithm int64) string {
	switch algorithm {
	case 8:
		return "sha256"
	case 9:
		return "sha384"
	case 10:
		return "sha512"
	case 2:
		return "sha1"
	}
	return "md5"
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
	if mode&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
