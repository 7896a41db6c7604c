// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

// Bounds of what is read of configuration, and of what comes along because it names it.
const (
	maxConfigFile  = 256 << 10
	maxConfigFiles = 1000
	maxNamed       = 64      // paths
	maxNamedFiles  = 20000   // of a tree
	maxNamedBytes  = 1 << 30 // of a tree
)

// namedPath finds absolute paths in a line of configuration, whatever its syntax: what begins a word and lies where
// services have their data.
var namedPath = regexp.MustCompile(`(?:^|[\s"'=:,(<>])(/(?:etc|var|srv)/[A-Za-z0-9_.+@/-]+)`)

// namedPaths returns what configuration among private paths names and a container would not have: data below /var and
// /srv, whoever owns it. What is a secret of the host, or too much, is not taken in silence. What lies below /etc a
// container sees as it is on the host, and may only lack secrets.
func (h Planner) namedPaths(private []config.PrivatePath) (taken []candidate, left []Left) {
	scan := namedScan{host: h, private: private, seen: make(map[string]bool)}
	for _, p := range private {
		if pathname.IsBelow(p.Path, "/etc") && !isOfOtherPrograms(p.Path) {
			scan.walk(p.Path)
		}
	}
	slices.SortFunc(scan.left, func(a, b Left) int { return strings.Compare(a.Path, b.Path) })
	return scan.taken, scan.left
}

// namedScan is one reading of all configuration.
type namedScan struct {
	host    Planner
	private []config.PrivatePath
	seen    map[string]bool // paths that were judged
	files   int
	taken   []candidate
	left    []Left
}

func (s *namedScan) walk(dir string) {
	_ = filepath.WalkDir(s.host.Root+dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if s.files >= maxConfigFiles || len(s.taken) >= maxNamed {
			return fs.SkipAll
		}
		if !e.Type().IsRegular() || isLeftover(e.Name()) {
			return nil
		}
		s.files++
		s.read(path.Clean("/" + strings.TrimPrefix(file, s.host.Root)))
		return nil
	})
}

// isOfOtherPrograms reports whether a file is the service's word to others, which name what they may allow, rotate or
// look at, and not what the service needs.
func isOfOtherPrograms(p string) bool {
	return pathname.IsBelow(p, "/etc/apparmor.d", "/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly",
		"/etc/cron.monthly", "/etc/cron.weekly", "/etc/logcheck", "/etc/ufw")
}

// isLeftover reports whether a file is what editors and package managers leave beside configuration.
func isLeftover(name string) bool {
	return strings.HasSuffix(name, "~") || slices.Contains([]string{
		".bak", ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".example", ".md", ".orig", ".rpmnew", ".rpmorig", ".rpmsave",
		".sample", ".ucf-dist", ".ucf-old",
	}, path.Ext(name))
}

func (s *namedScan) read(file string) {
	f, err := os.Open(s.host.Root + file)
	if err != nil {
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile))
	if err != nil || bytes.IndexByte(text, 0) >= 0 {
		return
	}
	number := 0
	for l := range strings.Lines(string(text)) {
		number++
		for _, match := range namedPath.FindAllStringSubmatch(withoutComment(l), -1) {
			p := path.Clean(strings.TrimRight(match[1], "."))
			if !s.seen[p] {
				s.seen[p] = true
				s.judge(p, fmt.Sprintf("%s:%d", file, number))
			}
		}
	}
}

// withoutComment returns what a line of configuration says; most syntaxes begin a comment by one of these.
func withoutComment(line string) string {
	line = strings.TrimSpace(line)
	for _, mark := range []string{"#", ";", "//", "--", "/*"} {
		if strings.HasPrefix(line, mark) {
			return ""
		}
	}
	for _, mark := range []string{" #", "\t#"} {
		line, _, _ = strings.Cut(line, mark)
	}
	return line
}

// judge decides on a path that configuration names.
func (s *namedScan) judge(p, by string) {
	covered := slices.ContainsFunc(s.private, func(known config.PrivatePath) bool {
		return pathname.IsWithin(p, known.Path)
	})
	if covered || isExcluded(p) || IsHostIdentity(p) || isOfTheHost(p) || config.CheckPath(p) != nil {
		return
	}
	info, err := os.Lstat(s.host.Root + p)
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return
	}
	if _, err := os.Stat(s.host.Root + p); err != nil {
		return // a link to nowhere, or to what is of a process
	}
	secret := s.host.isSecret(p)
	switch {
	case IsSnakeoil(p):
		for _, file := range snakeoil() {
			s.taken = append(s.taken, candidate{file, "named:" + by})
		}
	case info.Mode().IsDir() && pathname.IsBelow(p, "/etc"), !secret && pathname.IsBelow(p, "/etc"):
		// It is seen as it is, or a directory of secrets, of which single ones are named.
	case pathname.IsBelow(p, "/var/log"):
		// A log is no initial content.
	case secret:
		s.left = append(s.left, Left{p, by, "a secret of the host"})
	case !info.IsDir() && !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0:
	case s.host.isTooMuch(p):
		s.left = append(s.left, Left{p, by, "too much to be copied unasked"})
	default:
		s.taken = append(s.taken, candidate{p, "named:" + by})
	}
}

// isTooMuch reports whether a tree has more than comes along because something names it.
func (h Planner) isTooMuch(p string) bool {
	files, size := 0, int64(0)
	err := filepath.WalkDir(h.Root+p, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		files++
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		if files > maxNamedFiles || size > maxNamedBytes {
			return errTooMuch
		}
		return nil
	})
	return err != nil
}

var errTooMuch = errors.New("too much")

// isOfTheHost reports whether a path is where the host keeps what is of itself and of nobody's service, or where too
// many have theirs.
func isOfTheHost(p string) bool {
	if pathname.IsBelow(p, "/var/run", "/var/lock", "/var/tmp", "/var/backups", "/var/crash", "/var/mail") {
		return true
	}
	if slices.Contains(sharedBases(), p) || slices.Contains([]string{
		"/var/backups", "/var/crash", "/var/mail", "/var/tmp", "/var/run", "/var/lock", "/var/lib/private", "/var/local",
	}, p) {
		return true
	}
	rest, below := strings.CutPrefix(p, "/var/")
	if !below {
		return false
	}
	kind, rest, _ := strings.Cut(rest, "/")
	name, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "lib":
		return slices.Contains([]string{
			"AccountsService", "NetworkManager", "PackageKit", "alternatives", "apt", "authselect", "containers", "dbus", "dnf",
			"docker", "dpkg", "kubelet", "libvirt", "libvirt-sandbox", "lxc", "lxd", "machines", "pam", "polkit-1",
			"portables", "rpm", "rpm-state", "selinux", "sudo", "systemd", "ucf", "udisks2", "virt-sandbox",
		}, name)
	case "cache":
		return slices.Contains([]string{"apt", "debconf", "dnf", "ldconfig", "libdnf5", "libvirt-sandbox", "man"}, name)
	case "spool":
		return slices.Contains([]string{"cron", "mail"}, name)
	}
	return false
}

// snakeoil returns the files of the certificate that Debian's ssl-cert makes for each host: its key, and itself.
func snakeoil() []string {
	return []string{"/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/ssl/certs/ssl-cert-snakeoil.pem"}
}

// IsSnakeoil reports whether a file is of the certificate that each host makes for itself, and each container too.
func IsSnakeoil(hostPath string) bool { return slices.Contains(snakeoil(), hostPath) }
