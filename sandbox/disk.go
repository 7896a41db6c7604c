// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// formats are those of images, by QEMU's names. What a file is, is not found out from what is in it: that is the
// sandbox's, and it could name another file of the host.
func formats() []string { return []string{"raw", "qcow2", "qed", "vmdk", "vdi", "vpc", "vhdx"} }

// parseDisk reads [file:]TAG=PATH[,format=FORMAT], of what a sandbox has as /dev/disk/by-tag/TAG. Without a format it
// is that of the name's last suffix, and raw for others.
func parseDisk(text string) (config.Disk, error) {
	tag, rest, found := strings.Cut(strings.TrimPrefix(text, "file:"), "=")
	if !found || tag == "" || rest == "" {
		return config.Disk{}, field.Errorf("%s %q: it is not TAG=PATH[,format=FORMAT]", field.Disks, text)
	}
	if tag == "." || tag == ".." || strings.ContainsAny(tag, "/\x00\n") {
		return config.Disk{}, field.Errorf("%s %q: the tag must be the name of a file", field.Disks, text)
	}
	d := config.Disk{Tag: tag, Source: rest, Format: config.FormatRaw}
	if file, format, found := strings.Cut(rest, ",format="); found {
		if !slices.Contains(formats(), format) {
			return config.Disk{}, field.Errorf("%s %q: there is no format %s, but %s",
				field.Disks, text, format, strings.Join(formats(), ", "))
		}
		d.Source, d.Format = file, config.ImageFormat(format)
	} else if suffix := strings.TrimPrefix(filepath.Ext(rest), "."); slices.Contains(formats(), suffix) {
		d.Format = config.ImageFormat(suffix)
	}
	var err error
	if d.Source, err = filepath.Abs(d.Source); err != nil {
		return config.Disk{}, field.Errorf("%s %q: %w", field.Disks, text, err)
	}
	info, err := os.Stat(d.Source)
	if err != nil {
		return config.Disk{}, field.Errorf("%s %q: %w", field.Disks, text, err)
	}
	if !info.Mode().IsRegular() && info.Mode().Type() != os.ModeDevice {
		return config.Disk{}, field.Errorf("%s %q: %s is neither a file with an image nor a block device",
			field.Disks, text, d.Source)
	}
	return d, nil
}

// isImage tells a file from a block device.
func isImage(d config.Disk) bool {
	info, err := os.Stat(d.Source)
	return err == nil && info.Mode().IsRegular()
}
