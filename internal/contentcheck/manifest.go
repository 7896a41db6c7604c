// SPDX-License-Identifier: Apache-2.0

package contentcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Manifest returns what was put into the content and is gone, or is of another type by now, in the order of paths. What
// is below a directory that is gone goes with it, without a word. A file that was changed is somebody's right, as is
// data, which comes and goes where services keep it: there only what a package owns counts.
func Manifest(ctx context.Context, h content.Host, s *config.Sandbox) ([]Finding, error) {
	entries, err := filestate.ReadManifest(s.Content)
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{
			Path: filepath.Join(s.Content, filestate.ManifestName), Problem: ProblemMissing,
			Detail: "the content was never completed; a start does that",
		}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check content of %s: %w", s.Name, err)
	}
	t, err := filestate.OpenTrees(h.Root, s.Content)
	if err != nil {
		return nil, fmt.Errorf("check content of %s: %w", s.Name, err)
	}
	defer t.Close()
	slices.SortFunc(entries, func(a, b filestate.Entry) int { return cmp.Compare(a.Path, b.Path) })
	var findings []Finding
	missing := make(map[string]bool)
	for _, e := range entries {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		isData := e.Package == "" && pathname.IsBelow(e.Path, "/var", "/home", "/root", "/srv")
		if config.CheckPath(e.Path) != nil || isData {
			continue
		}
		if missing[filepath.Dir(e.Path)] {
			missing[e.Path] = true
			continue
		}
		actual, err := typeAt(t, e.Path)
		if err != nil {
			return nil, fmt.Errorf("check content of %s: %s: %w", s.Name, printable.Quoted(e.Path), filetree.WithoutPath(err))
		}
		finding := Finding{Path: s.Content + e.Path, Actual: actual, Wanted: e.Type}
		switch {
		case actual == "" && t.IsDeleted(e.Path):
			// As somebody inside wanted it.
			missing[e.Path] = true
		case actual == "":
			missing[e.Path] = true
			finding.Problem, finding.Detail = ProblemMissing, "was put there as a "+e.Type
			findings = append(findings, finding)
		case actual != e.Type && actual != blockedType:
			finding.Problem, finding.Detail = ProblemType, "is a "+actual+", and was put there as a "+e.Type
			findings = append(findings, finding)
		}
	}
	return findings, nil
}

// blockedType is what cannot be looked at: that which is in the way has a finding of its own, or is a mount.
const blockedType = "blocked"

// typeAt returns what lies at a path of the content, in the words of the manifest; "" for nothing.
func typeAt(t *filestate.Trees, p string) (string, error) {
	at, err := t.Find(p)
	switch {
	case errors.Is(err, filestate.ErrBlocked):
		return blockedType, nil
	case errors.Is(err, unix.ENOENT):
		return "", nil
	case err != nil:
		return "", err
	}
	defer at.Close()
	var stat unix.Stat_t
	err = unix.Fstatat(at.Dir, at.Name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if filetree.IsWhiteout(&stat) {
		return "", nil
	}
	if kind := filestate.KindOfMode(stat.Mode); kind != filestate.KindOther {
		return (&filestate.Version{Kind: kind}).TypeName(), nil
	}
	return "special file", nil
}
