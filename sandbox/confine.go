// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/opencontainers/selinux/go-selinux"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// Types of files that libvirt's policies have for what a machine writes, and for what it only reads.
const (
	writtenType = "svirt_image_t"
	readType    = "virt_content_t"
)

// confine gives the machine of an SELinux host our type, and a level that nobody else has; and the level to its
// directory, so that no other looks into it. Machines at qemu:///session have what libvirt chooses.
func (m *virtual) confine(ctx context.Context, s *config.Sandbox) error {
	if m.options.URI == sessionURI {
		return nil
	}
	if !s.Security.HasLabel() {
		s.Security.Label = s.ProcessContext().WithType(secontext.MachineType).WithLevel("")
	}
	if s.Security.Mode == config.SecurityDynamic {
		// The level of a base is libvirt's to choose from, and here ours.
		s.Security.Label = s.Security.Label.WithLevel("")
	}
	book := &alloc.Book{
		Locks: lockfile.New("", m.options.note), Configs: config.OpenStore(), Host: content.Host{}, Domains: m.levels,
		Warn: m.options.note,
	}
	var err error
	if m.level, err = book.ChooseLevel(ctx, s); err != nil {
		return err
	}
	return setLabel(m.state.path, m.label(s, readType))
}

// levels lists the levels of libvirt's virtual machines. Those of containers are found by their processes.
func (m *virtual) levels(except string) ([]alloc.Use, error) {
	texts, err := m.libvirt.DomainTexts(func(string, string) bool { return false })
	if err != nil {
		return nil, err
	}
	var uses []alloc.Use
	for _, text := range texts {
		found, err := alloc.LevelsOfDomain(text, except)
		if err != nil {
			return nil, err
		}
		uses = append(uses, found...)
	}
	return uses, nil
}

// label is the SELinux context of a file of the machine's own.
func (m *virtual) label(s *config.Sandbox, fileType string) string {
	return s.ProcessContext().File(fileType).String()
}

// labelDisks gives disks the machine's level, and remembers what they had. libvirt itself may do so only with images
// that lie where its policy has images.
func (m *virtual) labelDisks(s *config.Sandbox, disks []domain.Disk) error {
	if m.level == nil {
		return nil
	}
	var changes []labelChange
	for i, d := range disks {
		was, err := selinux.FileLabel(d.File)
		if errors.Is(err, unix.ENOTSUP) {
			continue // libvirt does without, too.
		}
		if err != nil {
			return field.Errorf("%s %s: read its SELinux label: %w", field.Disks, d.File, err)
		}
		change := labelChange{File: d.File, Was: was, Given: m.label(s, writtenType)}
		if d.ReadOnly {
			change.Given = m.label(s, readType)
		}
		changes, disks[i].Labelled = append(changes, change), true
	}
	if len(changes) == 0 {
		return nil
	}
	if err := m.state.noteLabels(changes); err != nil {
		return err
	}
	for _, c := range changes {
		if err := setLabel(c.File, c.Given); err != nil {
			return err
		}
	}
	return nil
}

// labelShared gives a file the label of what all machines read. libvirt would give it the same, but may not take it
// from what has another.
func (m *virtual) labelShared(file string) error {
	if m.level == nil {
		return nil
	}
	return setLabel(file, secontext.Context{User: "system_u", Role: "object_r", Type: readType, Level: "s0"}.String())
}

func setLabel(file, label string) error {
	if now, err := selinux.FileLabel(file); err == nil && now == label {
		return nil
	}
	if err := selinux.SetFileLabel(file, label); err != nil {
		return fmt.Errorf("give %s the SELinux label %s: %w", file, label, err)
	}
	return nil
}

// labelChange is what a file is labelled while a machine has it.
type labelChange struct {
	File  string `json:"file"`
	Was   string `json:"was"`
	Given string `json:"given"`
}

// labelsFile has the labels of disks from before.
const labelsFile = "labels"

// noteLabels goes before the labels are given, so that who sweeps gives them back.
func (d *stateDir) noteLabels(changes []labelChange) error {
	data, err := json.Marshal(changes)
	if err == nil {
		err = os.WriteFile(d.file(labelsFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write to the directory of the sandbox: %w", err)
	}
	return nil
}

// restoreLabels gives disks the labels that they had, unless somebody gave them others, or they are gone.
func (d *stateDir) restoreLabels() error {
	data, err := os.ReadFile(d.file(labelsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the labels that disks had: %w", err)
	}
	var changes []labelChange
	if json.Unmarshal(data, &changes) != nil {
		return nil // Who was killed while it wrote them has given none.
	}
	var errs []error
	for _, c := range changes {
		if now, err := selinux.FileLabel(c.File); err == nil && now == c.Given {
			errs = append(errs, setLabel(c.File, c.Was))
		}
	}
	return errors.Join(errs...)
}
