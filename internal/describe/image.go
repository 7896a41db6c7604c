// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// ImageOptions are what an administrator asks of create about images and disks.
type ImageOptions struct {
	Size   config.Size           // bytes; 0: the content is a directory
	Format config.ImageFormat    // empty: raw
	FS     config.FileSystemType // in the image; empty: DefaultImageFS
	Disks  []string              // TAG=PATH[,format=FORMAT]
}

// setImages turns the options into the description of the sandbox, and looks at the files that they name.
func setImages(s *config.Sandbox, o ImageOptions) error {
	for _, text := range o.Disks {
		d, err := config.ParseDisk(text)
		if err != nil {
			return field.Errorf("%s: %w", field.Disks, err)
		}
		if err := checkDiskFile(d); err != nil {
			return field.Errorf("%s %s: %w", field.Disks, text, err)
		}
		s.Disks = append(s.Disks, d)
	}
	if err := setImage(s, o); err != nil {
		return err
	}
	return s.CheckStorage()
}

func setImage(s *config.Sandbox, o ImageOptions) error {
	switch {
	case o.Size == 0 && o.Format != "":
		return field.Errorf("%s is about an image; give its size with %s", field.ImageFormat, field.ImageSize)
	case o.Size == 0 && o.FS != "":
		return field.Errorf("%s is about an image; give its size with %s", field.ImageFS, field.ImageSize)
	case o.Size == 0:
		return nil
	}
	s.ImageSize = o.Size
	s.ImageFormat, s.ImageFS = cmp.Or(o.Format, config.FormatRaw), cmp.Or(o.FS, config.DefaultImageFS)
	if err := config.CheckImageFormat(string(s.ImageFormat)); err != nil {
		return field.Errorf("%s: %w", field.ImageFormat, err)
	}
	if err := config.CheckImageFS(string(s.ImageFS)); err != nil {
		return field.Errorf("%s: %w", field.ImageFS, err)
	}
	s.Image = places.Root("").Of(s.Name).Image(s.ImageFormat)
	return nil
}

// CheckSources tells the first thing that the host lacks of what mounts and disks are to show.
func CheckSources(s *config.Sandbox) error {
	for _, mount := range s.Mounts {
		if err := checkMountSource(mount); err != nil {
			return err
		}
	}
	for _, d := range s.Disks {
		if err := checkDiskFile(d); err != nil {
			return fmt.Errorf("disk %s: %w", d.Tag, err)
		}
	}
	return nil
}

// checkMountSource tells in time that the host lacks what a mount is to show.
func checkMountSource(m config.Mount) error {
	if !m.Kind.HasHostSource() {
		return nil
	}
	info, err := os.Stat(m.Source)
	if err == nil && m.Kind.ShowsImage() && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", m.Source)
	}
	return err
}

func checkDiskFile(d config.Disk) error {
	info, err := os.Stat(d.Source)
	switch {
	case err != nil:
		return err
	case info.Mode().Type() == os.ModeDevice && d.Format == config.FormatRaw, info.Mode().IsRegular():
		return nil
	case info.Mode().Type() == os.ModeDevice:
		return fmt.Errorf("%s is a block device, which is raw", d.Source)
	}
	return fmt.Errorf("%s is neither a block device nor a regular file", d.Source)
}

// IsDevice reports whether a disk is a block device already.
func IsDevice(d config.Disk) bool {
	info, err := os.Stat(d.Source)
	return err == nil && info.Mode().Type() == os.ModeDevice
}

// ownImage gives the copy of a sandbox that has an image one of its own in a directory, as large as that.
func ownImage(s, from *config.Sandbox, dir string) error {
	if from.Image == "" {
		return nil
	}
	s.Image = filepath.Join(dir, s.Name+"."+string(s.ImageFormat))
	if s.ImageSize > 0 {
		return nil
	}
	info, err := os.Stat(from.Image)
	if err != nil || s.ImageFormat != config.FormatRaw {
		return fmt.Errorf("cannot determine the image size of %s; set image-size= in its config", from.Name)
	}
	s.ImageSize = config.Size(info.Size())
	return nil
}
