// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"errors"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// TestOptionErrors tells mistakes in options from failures.
func TestOptionErrors(t *testing.T) {
	create := func(change func(*Options)) error {
		o := Options{Name: "web1", Units: []string{"httpd.service"}}
		change(&o)
		_, err := New(o)
		return OptionErrorOf(err)
	}
	cases := []struct {
		name      string
		err       error
		isFailure bool
	}{
		{name: "name", err: create(func(o *Options) { o.Name = "a/b" })},
		{name: "nothing to run", err: create(func(o *Options) { o.Units = nil })},
		{
			name: "network",
			err:  create(func(o *Options) { o.Network, o.Interfaces = config.NetworkHost, make([]config.Interface, 1) }),
		},
		{name: "mount", err: create(func(o *Options) { o.Mounts = []string{"nosuch:/x=/y"} })},
		{
			name:      "mount of what is absent",
			err:       create(func(o *Options) { o.Mounts = []string{"host-bind:/x=/no/such"} }),
			isFailure: true,
		},
		{
			name:      "disk of what is absent",
			err:       create(func(o *Options) { o.Image.Disks = []string{"a=/no/such"} }),
			isFailure: true,
		},
		{name: "image format", err: create(func(o *Options) { o.Image = ImageOptions{Size: 1 << 30, Format: "vmdk"} })},
		{name: "level", err: create(func(o *Options) { o.Level = "c1" })},
		{name: "security", err: create(func(o *Options) { o.Security.Mode = config.SecurityDynamic })},
		{name: "level of a clone", err: giveSecurity(config.New("web1"), Options{Level: "c1"})},
		{name: "directory of a clone", err: placeContent(config.New("web1"), "/proc/a\nb")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var option *OptionError
			if c.err == nil || errors.As(c.err, &option) == c.isFailure {
				t.Errorf("%T: %v", c.err, c.err)
			}
		})
	}
}
