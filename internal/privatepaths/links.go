// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// linkedPaths returns what a private path leads to by symbolic links, and what the container would not have though
// the service is configured to use it: the data that an administrator moved elsewhere, and what below /etc not
// everybody may read, such as the key of a TLS certificate.
func (h Planner) linkedPaths(private string) []candidate {
	var all []candidate
	etc, err := os.Stat(h.Root + "/etc")
	if err != nil {
		return nil
	}
	_ = filepath.WalkDir(h.Root+private, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		// A link that the service could have made itself must not get it the secrets of others.
		if link, err := e.Info(); err != nil || ownerOf(link) != ownerOf(etc) {
			return nil
		}
		target, err := filepath.EvalSymlinks(file)
		if err != nil {
			return nil
		}
		target = path.Clean("/" + strings.TrimPrefix(target, h.Root))
		info, err := os.Stat(h.Root + target)
		switch {
		case err != nil || isExcluded(target):
		case IsSnakeoil(target):
			for _, file := range snakeoil() {
				all = append(all, candidate{file, "link:" + private})
			}
		case Below(target, "/etc"):
			if info.Mode().IsRegular() && h.isSecret(target) {
				all = append(all, candidate{target, "link:" + private})
			}
		case Below(private, "/etc") && h.isSecret(target):
		case h.isData(target, info):
			all = append(all, candidate{target, "link:" + private})
		}
		return nil
	})
	return all
}

// Chosen returns what a path that a person has chosen leads to by symbolic links, also secrets: the names of certbot's
// keys are links.
func (h Planner) Chosen(private string) []config.PrivatePath {
	var all []candidate
	etc, err := os.Stat(h.Root + "/etc")
	if err != nil {
		return nil
	}
	seen := 0
	_ = filepath.WalkDir(h.Root+private, func(file string, e fs.DirEntry, err error) error {
		if seen++; seen > maxChosen {
			return fs.SkipAll
		}
		if err != nil || e.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		// As in linkedPaths: a service must not get itself the secrets of others.
		if link, err := e.Info(); err != nil || ownerOf(link) != ownerOf(etc) {
			return nil
		}
		target, err := filepath.EvalSymlinks(file)
		if err != nil {
			return nil
		}
		target = path.Clean("/" + strings.TrimPrefix(target, h.Root))
		info, err := os.Stat(h.Root + target)
		if err != nil || isExcluded(target) || Below(target, private) ||
			!Below(target, "/etc", "/var", "/srv", "/home", "/root") {
			return nil
		}
		if info.Mode().IsRegular() || h.isData(target, info) {
			all = append(all, candidate{target, "link:" + private})
		}
		return nil
	})
	return collapse(all)
}

// maxChosen is how many files are looked at for links below a path that a person has chosen.
const maxChosen = 100_000

// isData reports whether a link out of what is private leads to data that is to come along. What every container sees
// of the host, or has of its own, is not; nor is what is the host's matter, or too much.
func (h Planner) isData(target string, info fs.FileInfo) bool {
	if strings.Count(target, "/") < 2 || isOfTheHost(target) || !info.IsDir() && !info.Mode().IsRegular() {
		return false
	}
	if Below(target, "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/dev", "/proc", "/sys", "/run", "/tmp", "/home",
		"/root", "/opt", "/var/log") {
		return false
	}
	return !h.isTooMuch(target)
}
