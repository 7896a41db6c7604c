// SPDX-License-Identifier: Apache-2.0

// Package claims knows which images a sandbox uses. In: the files of a sandbox that it alone may use, from its config;
// out: these attached to the host's mounts and block devices, with a note of them below the run directory, or an error
// that says who uses them already. The note is written before anything is attached, so that whoever comes after an
// interruption finds all that there can be. Whoever makes, starts, stops or deletes a sandbox calls it, with the lock
// on the sandbox's name.
package claims

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// Claim is an image, or a disk's file or device, that a sandbox has for itself.
type Claim struct {
	File    string             `json:"file"`
	Format  config.ImageFormat `json:"format"`
	Target  string             `json:"target,omitempty"`  // where it is mounted; empty for a disk
	Context string             `json:"context,omitempty"` // SELinux context to mount it with
	Content string             `json:"content,omitempty"` // what the config calls Target
	Use     string             `json:"use"`               // for a person
}

func (c Claim) mount() image.Mount {
	return image.Mount{File: c.File, Format: c.Format, Target: c.Target, Context: c.Context}
}

// OfContent returns the claim of a sandbox's own image, which has the name file until it gets its own. context is the
// SELinux context of all that lies in it; "" for none.
func OfContent(s *config.Sandbox, file, context string) (Claim, error) {
	target, err := realPath(s.Content)
	return Claim{File: file, Format: s.ImageFormat, Target: target, Context: context, Content: s.Content,
		Use: "the image"}, err
}

// Of lists what a sandbox claims while it runs. context is the SELinux context of all that lies in its images: it is
// this sandbox's, whatever labels the files have from elsewhere; "" for none.
func (b *Book) Of(s *config.Sandbox, context string) ([]Claim, error) {
	var claims []Claim
	if s.Image != "" {
		own, err := OfContent(s, s.Image, context)
		if err != nil {
			return nil, err
		}
		claims = append(claims, own)
	}
	for i, mount := range s.Mounts {
		if mount.Kind.ShowsImage() {
			claims = append(claims, Claim{
				File: mount.Source, Format: mount.Format, Target: b.MountPoint(s.Name, i), Context: context,
				Use: "the mount at " + mount.Target,
			})
		}
	}
	for _, d := range s.Disks {
		claims = append(claims, Claim{File: d.Source, Format: d.Format, Use: "disk " + d.Tag})
	}
	return claims, nil
}

// MountPoint is where the image of a sandbox's mount is mounted on the host, by the mount's place in the config.
func (b *Book) MountPoint(name string, index int) string {
	return filepath.Join(b.root.Of(name).Images(), strconv.Itoa(index))
}

// realPath is what the kernel calls a directory that need not be there yet.
func realPath(dir string) (string, error) {
	rest := ""
	for {
		actual, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(actual, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return "", fmt.Errorf("find mount point: %w", err)
		}
		dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
	}
}
