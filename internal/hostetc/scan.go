// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/foreach"
)

// rules is the number of the rules by which a generation is made; other rules make other generations.
const rules = "3"

// What is taken of /etc is bounded, whatever is put there.
const (
	maxDepth   = 64
	maxEntries = 200_000
	maxFile    = 32 << 20 // bytes; hwdb.bin of udev has 10 million
)

var errTooMany = fmt.Errorf("there are more than %d files", maxEntries)

// entry is a file, directory or symbolic link of /etc that everybody may see.
type entry struct {
	path   string // below /etc; empty for that itself
	stat   unix.Stat_t
	closed bool // a directory that not everybody may look into: it is taken empty
}

func (e *entry) kind() uint32 { return e.stat.Mode & unix.S_IFMT }

// scan is what of /etc is taken, a directory before what lies in it.
type scan struct {
	keep    bool // whether the entries are wanted, which is half of the time that a scan takes
	count   int
	entries []entry
	digest  hash.Hash
	record  []byte   // of the last one: room for the next
	large   []string // files that are too large
	only    name     // of a scan of one name in /etc

	stubs map[string]bool // names of units of the host that run sandboxes
}

// name returns what a generation of this scan is called: another one wherever something was written, moved or changed
// since.
func (s *scan) name() string { return hex.EncodeToString(s.digest.Sum(nil)[:16]) }

// take scans an open directory for its name alone.
func take(etc *os.File) (*scan, error) { return newScan(false).of(etc) }

// takeEntries scans an open directory for what lies in it.
func takeEntries(etc *os.File) (*scan, error) { return newScan(true).of(etc) }

func newScan(keep bool) *scan { return &scan{keep: keep, digest: sha256.New()} }

func (s *scan) of(etc *os.File) (*scan, error) {
	if _, err := etc.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("look at /etc: %w", err)
	}
	fmt.Fprintf(s.digest, "rules %s\n", rules)
	var stat unix.Stat_t
	if err := unix.Fstat(int(etc.Fd()), &stat); err != nil {
		return nil, fmt.Errorf("look at /etc: %w", err)
	}
	// A name that goes away meanwhile is no error, but whatever else hinders is: nothing is left out in silence.
	if err := s.top(etc, stat); err != nil {
		return nil, fmt.Errorf("look at /etc: %w", err)
	}
	return s, nil
}

// scanners is how many parts of /etc are looked at at the same time. A start waits for it.
const scanners = 2

// top scans /etc itself, each of what lies in it as a scan of its own.
func (s *scan) top(etc *os.File, stat unix.Stat_t) error {
	if isClosed(stat) {
		return s.directory(etc, "", stat, 0)
	}
	names, err := readNames(etc)
	if err != nil {
		return err
	}
	if err := s.add("", stat, stat.Ino, false); err != nil {
		return err
	}
	var texts []string
	parts := make(map[string]*scan, len(names))
	for _, n := range names {
		texts = append(texts, n.text)
		parts[n.text] = newScan(s.keep)
		parts[n.text].only = n
	}
	var errs []error
	look := func(_ context.Context, text string) error { return parts[text].named(etc, text, parts[text].only, 0) }
	note := func(_ string, err error) { errs = append(errs, err) }
	foreach.Do(context.Background(), texts, scanners, look, note)
	for _, text := range texts {
		part := parts[text]
		s.digest.Write(part.digest.Sum(nil))
		s.count += part.count
		s.entries = append(s.entries, part.entries...)
		s.large = append(s.large, part.large...)
	}
	if s.count > maxEntries {
		errs = append(errs, errTooMany)
	}
	return errors.Join(errs...)
}

// isStill reports by errChanged that a new scan finds something else.
func (s *scan) isStill(etc *os.File) error {
	again, err := take(etc)
	if err == nil && again.name() != s.name() {
		err = errChanged
	}
	return err
}

// add takes an entry. ino is its number, for a link as its directory tells it: not all file systems say the same by
// stat(2).
func (s *scan) add(p string, stat unix.Stat_t, ino uint64, closed bool) error {
	if s.count++; s.count > maxEntries {
		return errTooMany
	}
	if s.keep {
		s.entries = append(s.entries, entry{p, stat, closed})
	}
	record := append(append(s.record[:0], p...), 0)
	switch {
	case stat.Mode&unix.S_IFMT == unix.S_IFLNK:
		// What a link says never changes, and another one is another file.
		stat = unix.Stat_t{Mode: unix.S_IFLNK}
	case stat.Mode&unix.S_IFMT == unix.S_IFDIR && isOfUnits(p):
		// They change with what is left out there.
		stat.Mtim, stat.Ctim, stat.Size = unix.Timespec{}, unix.Timespec{}, 0
	}
	for _, number := range []uint64{
		stat.Dev, ino, uint64(stat.Mode), uint64(stat.Uid), uint64(stat.Gid), uint64(stat.Size),
		uint64(stat.Mtim.Nano()), uint64(stat.Ctim.Nano()),
	} {
		record = binary.LittleEndian.AppendUint64(record, number)
	}
	s.digest.Write(record)
	s.record = record
	return nil
}

// isClosed reports whether not everybody may read a directory's names and what they name.
func isClosed(dir unix.Stat_t) bool {
	const search = 0o005
	return dir.Mode&search != search
}

func (s *scan) directory(dir *os.File, p string, stat unix.Stat_t, depth int) error {
	if isClosed(stat) {
		// Its times would tell of what is done in it.
		stat.Mtim, stat.Ctim, stat.Size = unix.Timespec{}, unix.Timespec{}, 0
		return s.add(p, stat, stat.Ino, true)
	}
	names, err := readNames(dir)
	if err != nil {
		return err
	}
	if names = s.withoutStubs(dir, p, names); names == nil {
		return nil
	}
	if err := s.add(p, stat, stat.Ino, false); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("/etc/%s has more than %d directories above it", p, maxDepth)
	}
	for _, n := range names {
		if err := s.named(dir, path.Join(p, n.text), n, depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) named(dir *os.File, p string, n name, depth int) error {
	switch {
	case isExcluded(p):
		return nil
	case n.kind == unix.DT_DIR:
		return s.below(dir, p, n.text, depth)
	case n.kind == unix.DT_LNK && !s.keep:
		return s.add(p, unix.Stat_t{Mode: unix.S_IFLNK}, n.ino, false)
	}
	var stat unix.Stat_t
	err := unix.Fstatat(int(dir.Fd()), n.text, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return s.add(p, stat, n.ino, false)
	case unix.S_IFREG:
		if stat.Mode&0o004 == 0 {
			return nil
		}
		if stat.Size > maxFile {
			s.large = append(s.large, p)
			return nil
		}
		return s.add(p, stat, stat.Ino, false)
	case unix.S_IFDIR:
		return s.below(dir, p, n.text, depth)
	}
	return nil
}

func (s *scan) below(dir *os.File, p, name string, depth int) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), name, flags, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // It has gone, or become something else: the next scan sees that.
	}
	if err != nil {
		return err
	}
	below := os.NewFile(uintptr(fd), name)
	defer below.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	if isPrivateDir(name) {
		stat.Mode &^= 0o007
	}
	return s.directory(below, p, stat, depth+1)
}

// isExcluded tells of what no container sees, whatever its permissions are: passwords, and the configuration of
// virt-sandbox and libvirt. That of the host's systemd is for the host: its time limits, or that it keeps no journal.
func isExcluded(p string) bool {
	if name, found := strings.CutPrefix(p, "systemd/"); found && !strings.Contains(name, "/") {
		return strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".conf.d")
	}
	if strings.Contains(p, "/") {
		return isHostKey(path.Base(p))
	}
	return slices.Contains([]string{"shadow", "gshadow", "passwd-", "group-", "virt-sandbox"}, p) ||
		strings.HasPrefix(p, "shadow") || strings.HasPrefix(p, "gshadow") || strings.HasPrefix(p, "libvirt")
}

// isHostKey tells of a key of sshd's by its name.
func isHostKey(name string) bool {
	return strings.HasPrefix(name, "ssh_host_") && !strings.HasSuffix(name, ".pub")
}

// isPrivateDir tells of a directory where keys are kept (openssl(1), gpg(1)), whatever its permissions are. It is taken
// empty.
func isPrivateDir(name string) bool { return name == "private" || name == "private-keys-v1.d" }
