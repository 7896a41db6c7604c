// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

// linkedPaths returns what a private path leads to by symbolic links, and what the container would not have though
// the service is configured to use it: the data that an administrator moved elsewhere, and what below /etc not
// everybody may read, such as the key of a TLS certificate.
func (h Planner) linkedPaths(private string) []candidate {
	var all []candidate
	h.eachTarget(private, func(target string, info fs.FileInfo) {
		switch {
		case IsSnakeoil(target):
			for _, file := range snakeoil() {
				all = append(all, candidate{file, "link:" + private})
			}
		case pathname.IsBelow(target, "/etc"):
			if info.Mode().IsRegular() && h.isSecret(target) {
				all = append(all, candidate{target, "link:" + private})
			}
		case pathname.IsBelow(private, "/etc") && h.isSecret(target):
		case h.isData(target, info):
			all = append(all, candidate{target, "link:" + private})
		}
	})
	return all
}

// Chosen returns what a path that a person has chosen leads to by symbolic links, also secrets: the names of certbot's
// keys are links.
func (h Planner) Chosen(private string) []config.PrivatePath {
	var all []candidate
	h.eachTarget(private, func(target string, info fs.FileInfo) {
		if pathname.IsBelow(target, private) || !pathname.IsBelow(target, "/etc", "/var", "/srv", "/home", "/root") {
			return
		}
		if info.Mode().IsRegular() || h.isData(target, info) {
			all = append(all, candidate{target, "link:" + private})
		}
	})
	return collapse(all)
}

// eachTarget calls do for what the symbolic links at a path, and below it, lead to. A link that the service could have
// made itself does not count: it must not get it the secrets of others.
func (h Planner) eachTarget(private string, do func(target string, info fs.FileInfo)) {
	etc, err := os.Stat(h.Root + "/etc")
	if err != nil {
		return
	}
	_ = filepath.WalkDir(h.Root+private, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		if link, err := e.Info(); err != nil || ownerOf(link) != ownerOf(etc) {
			return nil
		}
		target, err := filepath.EvalSymlinks(file)
		if err != nil {
			return nil
		}
		target = path.Clean("/" + strings.TrimPrefix(target, h.Root))
		if info, err := os.Stat(h.Root + target); err == nil && !isExcluded(target) {
			do(target, info)
		}
		return nil
	})
}

// isData reports whether a link out of what is private leads to data that is to come along. What every container sees
// of the host, or has of its own, is not; nor is what is the host's matter, or too much.
func (h Planner) isData(target string, info fs.FileInfo) bool {
	if strings.Count(target, "/") < 2 || isOfTheHost(target) || !info.IsDir() && !info.Mode().IsRegular() {
		return false
	}
	if pathname.IsBelow(target, "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/dev", "/proc", "/sys", "/run",
		"/tmp", "/home", "/root", "/opt", "/var/log") {
		return false
	}
	return !h.isTooMuch(target)
}
