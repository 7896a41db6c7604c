// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// ImageFormat is how a file holds the blocks of a disk.
type ImageFormat string

// The formats of images.
const (
	FormatRaw   ImageFormat = "raw"
	FormatQCOW2 ImageFormat = "qcow2"
)

// FileSystemType is a type of file system, as mount(8) names it.
type FileSystemType string

// The file systems that images are made with.
const (
	Ext4 FileSystemType = "ext4"
	XFS  FileSystemType = "xfs"
)

// DefaultImageFS is what an image is made with when nothing else is asked for.
const DefaultImageFS = Ext4

// DefaultImageBase is the directory of the images that create makes.
const DefaultImageBase = "/var/lib/libvirt/images"

// MaxDisks is how many disks a sandbox can have: they are named sda to sdz inside.
const MaxDisks = 26

// Disk is a block device that the container has as /dev/disk/by-tag/TAG.
type Disk struct {
	Tag    string
	Source string // block device or file of the host, absolute
	Format ImageFormat
}

// ParseDisk reads TAG=PATH[,format=raw|qcow2]. The legacy form begins with the one type that it knew, file:.
func ParseDisk(option string) (Disk, error) {
	tag, source, found := strings.Cut(strings.TrimPrefix(option, "file:"), "=")
	if !found {
		return Disk{}, fmt.Errorf(msgDisk, option)
	}
	if !wellformed.IsName(tag) {
		return Disk{}, fmt.Errorf(msgDiskTag, tag)
	}
	file, format, err := parseImage(source)
	if err != nil {
		return Disk{}, fmt.Errorf(msgDisk, option)
	}
	return Disk{tag, file, format}, nil
}

// String gives the text that ParseDisk reads as the same.
func (d Disk) String() string { return d.Tag + "=" + imageValue(d.Source, d.Format) }

// parseImage reads PATH[,format=FORMAT]. Without a format the name tells it, never the file: what is in there can be a
// container's, which would make the host's programs open any file by a header that names it.
func parseImage(text string) (file string, format ImageFormat, err error) {
	file, format = text, ""
	if i := strings.LastIndex(text, ",format="); i >= 0 {
		file, format = text[:i], ImageFormat(text[i+len(",format="):])
		if err := CheckImageFormat(string(format)); err != nil {
			return "", "", err
		}
	}
	if err := CheckPath(file); err != nil {
		return "", "", err
	}
	if file == "/" {
		return "", "", errors.New("it is the root directory")
	}
	if format == "" {
		format = FormatOf(file)
	}
	return file, format, nil
}

func imageValue(file string, format ImageFormat) string { return file + ",format=" + string(format) }

// FormatOf gives the format that the name of a file tells.
func FormatOf(file string) ImageFormat {
	if path.Ext(file) == ".qcow2" {
		return FormatQCOW2
	}
	return FormatRaw
}

// CheckImageFormat reports whether text is the name of a format.
func CheckImageFormat(text string) error {
	if f := ImageFormat(text); f != FormatRaw && f != FormatQCOW2 {
		return fmt.Errorf(msgImageFormat, text)
	}
	return nil
}

// CheckImageFS reports whether text is the name of a type of file systems.
func CheckImageFS(text string) error {
	if t := FileSystemType(text); t != Ext4 && t != XFS {
		return fmt.Errorf(msgImageFS, text)
	}
	return nil
}

// CheckStorage tells what is wrong with images, mounts and disks that are each right by themselves.
func (s *Sandbox) CheckStorage() error {
	if err := s.checkImage(); err != nil {
		return err
	}
	targets := make(map[string]bool)
	for _, m := range s.Mounts {
		if targets[m.Target] {
			return fmt.Errorf(msgMountTwice, m.Target)
		}
		targets[m.Target] = true
	}
	for _, over := range s.Mounts {
		if !over.Kind.ShowsInside() {
			continue // Those of the container's own places are made after all others.
		}
		for _, m := range s.Mounts {
			if !m.Kind.ShowsInside() && pathname.IsWithin(m.Target, over.Target) {
				return fmt.Errorf(msgMountHidden, m.Target, over.Target)
			}
		}
	}
	if len(s.Disks) > MaxDisks {
		return fmt.Errorf(msgTooManyDisks, len(s.Disks), MaxDisks)
	}
	tags := make(map[string]bool)
	for _, d := range s.Disks {
		if tags[d.Tag] {
			return fmt.Errorf(msgDiskTagTwice, d.Tag)
		}
		tags[d.Tag] = true
	}
	uses := make(map[string]string)
	for _, f := range s.ImageFiles() {
		if other, found := uses[f.Path]; found {
			return fmt.Errorf(msgFileTwice, f.Path, other, f.Use)
		}
		uses[f.Path] = f.Use
	}
	return nil
}

func (s *Sandbox) checkImage() error {
	switch {
	case s.Image != "" && pathname.IsWithin(s.Image, s.Content):
		return fmt.Errorf(msgImageBelow, s.Image)
	case s.Image != "":
		return nil
	case s.ImageFormat != "":
		return fmt.Errorf(msgImageAlone, "image-format")
	case s.ImageFS != "":
		return fmt.Errorf(msgImageAlone, "image-fs")
	case s.ImageSize != 0:
		return fmt.Errorf(msgImageAlone, "image-size")
	}
	return nil
}

// ImageFile is a file, or a block device, whose blocks are one sandbox's alone while it runs.
type ImageFile struct {
	Path   string
	Format ImageFormat
	Use    string // for a person
}

// ImageFiles lists them.
func (s *Sandbox) ImageFiles() []ImageFile {
	var files []ImageFile
	if s.Image != "" {
		files = append(files, ImageFile{s.Image, s.ImageFormat, "the image"})
	}
	for _, m := range s.Mounts {
		if m.Kind.ShowsImage() {
			files = append(files, ImageFile{m.Source, m.Format, "the mount at " + m.Target})
		}
	}
	for _, d := range s.Disks {
		files = append(files, ImageFile{d.Source, d.Format, "disk " + d.Tag})
	}
	return files
}
