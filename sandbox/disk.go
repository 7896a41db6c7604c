package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// disk is an image that a machine has as /dev/disk/by-tag/TAG.
type disk struct{ tag, file, format string }

// formats are those of images, by QEMU's names. What a file is, is not found out from what is in it: that is the sandbox's, and
// it could name another file of the host.
func formats() []string { return []string{"raw", "qcow2", "qed", "vmdk", "vdi", "vpc", "vhdx"} }

// parseDisk reads [file:]TAG=PATH[,format=FORMAT]. Without a format it is that of the name's last suffix, and raw for others.
func parseDisk(text string) (disk, error) {
	tag, rest, found := strings.Cut(strings.TrimPrefix(text, "file:"), "=")
	if !found || tag == "" || rest == "" {
		return disk{}, fmt.Errorf("--disk %q: it is not TAG=PATH[,format=FORMAT]", text)
	}
	if tag == "." || tag == ".." || strings.ContainsAny(tag, "/\x00\n") {
		return disk{}, fmt.Errorf("--disk %q: the tag must be the name of a file", text)
	}
	d := disk{tag: tag, file: rest, format: "raw"}
	if file, format, found := strings.Cut(rest, ",format="); found {
		if !slices.Contains(formats(), format) {
			return disk{}, fmt.Errorf("--disk %q: there is no format %s, but %s", text, format, strings.Join(formats(), ", "))
		}
		d.file, d.format = file, format
	} else if suffix := strings.TrimPrefix(filepath.Ext(rest), "."); slices.Contains(formats(), suffix) {
		d.format = suffix
	}
	file, err := filepath.Abs(d.file)
	if err != nil {
		return disk{}, fmt.Errorf("--disk %q: %w", text, err)
	}
	d.file = file
	info, err := os.Stat(d.file)
	if err != nil {
		return disk{}, fmt.Errorf("--disk %q: %w", text, err)
	}
	if !info.Mode().IsRegular() {
		return disk{}, fmt.Errorf("--disk %q: %s is no file with an image", text, d.file)
	}
	return d, nil
}

// parseDisks reads all, of which no two may have one tag or one image.
func parseDisks(texts []string) ([]disk, error) {
	var list []disk
	for _, text := range texts {
		d, err := parseDisk(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(other disk) bool { return other.tag == d.tag || other.file == d.file }) {
			return nil, fmt.Errorf("--disk %q: another has its tag or its image", text)
		}
		list = append(list, d)
	}
	return list, nil
}
