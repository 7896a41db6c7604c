// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"fmt"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
)

// ownerOf returns the name of the sandbox whose the content of s is: the one that the content names, as long as that
// has a config; one that was renamed has none of its old name. Content that names nobody is that of the first other
// config which has it, or else of s. id is what the content says, nil for nothing.
func (p *Provisioner) ownerOf(s *config.Sandbox) (owner string, id *filestate.Identity, err error) {
	if id, err = filestate.ReadIdentity(s.Content); err != nil {
		return "", nil, err
	}
	if id != nil && (id.Name == s.Name || s.UUID != id.UUID) {
		return id.Name, id, nil
	}
	names, err := p.Configs.Names()
	if err != nil {
		return "", nil, err
	}
	if id != nil {
		if slices.Contains(names, id.Name) {
			return id.Name, id, nil
		}
		return s.Name, id, nil
	}
	for _, name := range names {
		if other, err := p.Configs.Known(name); err == nil && name != s.Name && other.Content == s.Content {
			return name, nil, nil
		}
	}
	return s.Name, nil, nil
}

// contentIsOf refuses a config that names another sandbox's content.
func (p *Provisioner) contentIsOf(s *config.Sandbox, owner string) error {
	return fmt.Errorf("%s: content %s is that of %s; name another directory, or leave the line out",
		p.Configs.Path(s.Name), s.Content, owner)
}

// imageIsOf refuses a config that names another sandbox's image.
func (p *Provisioner) imageIsOf(s *config.Sandbox, owner string) error {
	return fmt.Errorf("%s: image %s is that of %s; name another file", p.Configs.Path(s.Name), s.Image, owner)
}

// requireContent refuses a sandbox that has no content of its own, whole, to copy.
func (p *Provisioner) requireContent(s *config.Sandbox) error {
	found, err := p.HasContent(s)
	if err == nil && (!found || s.Created.IsZero()) {
		err = fmt.Errorf("%s has no content at %s yet; start it first", s.Name, s.Content)
	}
	return err
}

// HasContent reports whether a sandbox has content, which one that was never started need not have. That which is not
// its own, or gone, is an error.
func (p *Provisioner) HasContent(s *config.Sandbox) (bool, error) {
	if s.State == config.StateDeleting {
		return false, fmt.Errorf("%s is being deleted; run delete again to finish that", s.Name)
	}
	state, err := content.Inspect(s.Content)
	switch {
	case err != nil:
		return false, err
	case state == content.Absent && s.Created.IsZero():
		return false, nil
	case state == content.Absent:
		return false, fmt.Errorf("the content of %s at %s is gone; is its file system mounted?", s.Name, s.Content)
	case state == content.Foreign:
		return false, fmt.Errorf("%s is not content of virt-sandbox; correct content= in %s", s.Content,
			p.Configs.Path(s.Name))
	}
	owner, _, err := p.ownerOf(s)
	if err == nil && owner != s.Name {
		err = p.contentIsOf(s, owner)
	}
	return err == nil, err
}
