// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// Leftovers lists what verbs that were interrupted have left of a sandbox. s is nil for one without a config.
// Without the lock on the sandbox's name, a verb that is at work looks like one that was interrupted.
func (p *Provisioner) Leftovers(name string, s *config.Sandbox) ([]contentcheck.Finding, error) {
	var findings []contentcheck.Finding
	found := func(path, detail string) {
		findings = append(findings, contentcheck.Finding{Path: path, Problem: contentcheck.ProblemLeftover, Detail: detail})
	}
	remedy := RemedyOf(name, s)
	book := p.Claims
	noted, err := book.Read(name)
	if err != nil {
		return nil, err
	}
	if !p.isUp(name) {
		for _, c := range noted {
			if !image.IsTemporary(c.File) {
				found(c.File, c.Use+" is attached though nothing runs; "+remedy)
			}
		}
	}
	unfinished := book.Unfinished(name, noted)
	if s != nil && s.Image != "" {
		unfinished = book.Unfinished(name, append(noted, claims.Claim{File: image.Temporary(s.Image)}))
	}
	for _, file := range unfinished {
		found(file, "an image under the name that it has until it is complete; "+remedy)
	}
	if s != nil {
		if s.State == config.StateDeleting {
			found(p.Configs.Path(name), "it is being deleted; run delete again to finish that")
		}
		return findings, nil
	}
	if p.Configs.States.Has(name) {
		found(p.Configs.States.Path(name), fmt.Sprintf("what was allocated to a sandbox whose config is gone; restore %s or "+
			"run delete", p.Configs.Path(name)))
	}
	dir := p.places(name).Content()
	switch state, err := content.Inspect(dir); {
	case err != nil && !isDir(dir):
	case err != nil:
		return nil, err
	case state == content.Creating:
		found(dir, InterruptedMaking+remedy)
	case state == content.Ours:
		if owner, _, err := p.ownerOf(&config.Sandbox{Name: name, Content: dir}); err != nil {
			return nil, err
		} else if owner == name {
			found(dir, fmt.Sprintf("content whose config is gone; restore %s or run delete", p.Configs.Path(name)))
		}
	}
	return findings, nil
}

// InterruptedMaking says of content that whoever made it was interrupted; a remedy follows.
const InterruptedMaking = "content whose making was interrupted; "

// RemedyOf says how leftovers go away.
func RemedyOf(name string, s *config.Sandbox) string {
	if s == nil {
		return "delete " + name + " to end that"
	}
	return "start or delete " + name + " to end that"
}

func isDir(file string) bool {
	info, err := os.Lstat(file)
	return err == nil && info.IsDir()
}

// CheckNames lists what Check has something to say of: the sandboxes that have a config, usable or not, and those of
// which there are but leftovers.
func (p *Provisioner) CheckNames() ([]string, error) {
	names, err := p.Configs.Names()
	if err != nil {
		return nil, err
	}
	candidates, err := p.leftoverNames()
	if err != nil {
		return nil, err
	}
	for _, name := range candidates {
		if slices.Contains(names, name) || config.CheckName(name) != nil {
			continue
		}
		// A verb may be at it, for which Check waits.
		if left, err := p.Leftovers(name, nil); err != nil || len(left) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// leftoverNames lists the names that something on the host may be a leftover of.
func (p *Provisioner) leftoverNames() ([]string, error) {
	names, err := places.Root(p.Host.Root).ImagesNames()
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	for _, format := range []config.ImageFormat{config.FormatRaw, config.FormatQCOW2} {
		pattern := image.Temporary(p.places("*").Image(format))
		before, after, _ := strings.Cut(filepath.Base(pattern), "*")
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), before), after))
		}
	}
	states, err := p.Configs.States.Names(func(name string) bool { return config.CheckName(name) == nil })
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	names = append(names, states...)
	entries, err := os.ReadDir(filepath.Dir(p.places("*").Content()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
