// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"os"
	"reflect"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// TestRemoveImage: as long as an image has only its temporary name, the file that has the other is another's.
func TestSetImages(t *testing.T) {
	file := t.TempDir() + "/a.img"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		options ImageOptions
		want    func(*config.Sandbox)
		fails   string
	}{
		{name: "nothing", want: func(*config.Sandbox) {}},
		{name: "size in MB", options: ImageOptions{Size: 500_000_000}, want: func(s *config.Sandbox) {
			s.Image, s.ImageFormat = "/var/lib/libvirt/images/box.raw", config.FormatRaw
			s.ImageFS, s.ImageSize = config.Ext4, 500000000
		}},
		{
			name:    "all of an image",
			options: ImageOptions{Size: 2 << 30, Format: "qcow2", FS: "xfs"},
			want: func(s *config.Sandbox) {
				s.Image, s.ImageFormat = "/var/lib/libvirt/images/box.qcow2", config.FormatQCOW2
				s.ImageFS, s.ImageSize = config.XFS, 2<<30
			},
		},
		{
			name:    "disks",
			options: ImageOptions{Disks: []string{"a=" + file, "b=/etc/passwd,format=qcow2"}},
			want: func(s *config.Sandbox) {
				s.Disks = []config.Disk{
					{Tag: "a", Source: file, Format: config.FormatRaw},
					{Tag: "b", Source: "/etc/passwd", Format: config.FormatQCOW2},
				}
			},
		},
		{name: "format", options: ImageOptions{Size: 1 << 30, Format: "vmdk"}, fails: `Image.Format: "vmdk" is not an ` +
			`image format; raw and qcow2 are`},
		{name: "file system", options: ImageOptions{Size: 1 << 30, FS: "btrfs"}, fails: `Image.FS: "btrfs" is not a file ` +
			`system that images are made with; ext4 and xfs are`},
		{name: "format alone", options: ImageOptions{Format: "raw"}, fails: "Image.Format is about an image; give its size " +
			"with Image.Size"},
		{name: "file system alone", options: ImageOptions{FS: "xfs"}, fails: "Image.FS is about an image; give its size " +
			"with Image.Size"},
		{name: "disk", options: ImageOptions{Disks: []string{"db"}}, fails: `Disks: "db" is not ` +
			`TAG=PATH[,format=raw|qcow2] with an absolute path`},
		{name: "disk of nothing", options: ImageOptions{Disks: []string{"db=/no/such"}}, fails: "Disks db=/no/such: stat " +
			"/no/such: no such file or directory"},
		{name: "disk of a directory", options: ImageOptions{Disks: []string{"db=/etc"}}, fails: "Disks db=/etc: /etc is " +
			"neither a block device nor a regular file"},
		{
			name:    "one tag twice",
			options: ImageOptions{Disks: []string{"a=" + file, "a=/etc/passwd"}},
			fails:   `two disks have the tag "a"; rename one`,
		},
		{name: "one file twice", options: ImageOptions{Disks: []string{"a=" + file, "b=" + file}},
			fails: file + " is named twice, for disk a and for disk b; two of them would destroy each other's data"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, want := config.New("box"), config.New("box")
			err := setImages(s, c.options)
			if c.fails != "" {
				if err == nil || err.Error() != c.fails {
					t.Errorf("got  %v\nwant %s", err, c.fails)
				}
				return
			}
			c.want(want)
			if err != nil || !reflect.DeepEqual(s, want) {
				t.Errorf("got  %+v, %v\nwant %+v", s, err, want)
			}
		})
	}
}
