// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

// TestRefusals pins what create says of mistakes in options, in the words of its command line.
func TestRefusals(t *testing.T) {
	const without = ": every sandbox can reach a level without categories; add some, as in s0:c1,c2, or allow that with " +
		"--share-level"
	plainLabel, err := parseSecurity("static,label=u:r:t:s0")
	if err != nil {
		t.Fatal(err)
	}
	m := helper.New(helper.Options{URI: helper.DefaultURI})
	for want, change := range map[string]func(*helper.CreateOptions){
		"a container runs units (-u) or a command (after --), not both": func(o *helper.CreateOptions) {
			o.Command = []string{"true"}
		},
		"nothing to run: name a unit with -u or a command after --": func(o *helper.CreateOptions) { o.Units = nil },
		`-P: "a b" is not a package name`: func(o *helper.CreateOptions) {
			o.Packages = []string{"a b"}
		},
		"-m host-bind:/srv=/no/such: stat /no/such: no such file or directory": func(o *helper.CreateOptions) {
			o.Mounts = []string{"host-bind:/srv=/no/such"}
		},
		"--image-format is about an image; give its size with -i": func(o *helper.CreateOptions) { o.Image.Format = "raw" },
		"--image-fs is about an image; give its size with -i":     func(o *helper.CreateOptions) { o.Image.FS = "xfs" },
		`--image-format: "vmdk" is not an image format; raw and qcow2 are`: func(o *helper.CreateOptions) {
			o.Image.Size, o.Image.Format = 1<<30, "vmdk"
		},
		"--disk db=/etc: /etc is neither a block device nor a regular file": func(o *helper.CreateOptions) {
			o.Image.Disks = []string{"db=/etc"}
		},
		`-f: "a b" is not an SELinux type`: func(o *helper.CreateOptions) {
			o.FileType = "a b"
		},
		"-l s0:c1024: category c1024 is above c1023": func(o *helper.CreateOptions) {
			o.Level = "s0:c1024"
		},
		"-l and -s exclude each other; put the level into the label of -s": func(o *helper.CreateOptions) {
			o.Level, o.Security = "s0:c1", plainLabel
		},
		"-s dynamic: the files of a directory carry their level, so that it has to be fixed; keep the content in an image " +
			"(-i), or use static": func(o *helper.CreateOptions) {
			o.Security.Mode = config.SecurityDynamic
		},
		"-l s0" + without:                    func(o *helper.CreateOptions) { o.Level = "s0" },
		"-s static,label=u:r:t:s0" + without: func(o *helper.CreateOptions) { o.Security = plainLabel },
	} {
		o := helper.CreateOptions{Name: "x", Units: []string{"httpd.service"}}
		change(&o)
		_, err := m.Create(t.Context(), o)
		if err == nil {
			t.Errorf("created what should be refused with %q", want)
			continue
		}
		if got := flagname.Text(err); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := flagname.Text(usageError{err}); got != want {
			t.Errorf("as a mistake in the command line: %s", got)
		}
	}
	var option *helper.OptionError
	if _, err := m.Create(t.Context(), helper.CreateOptions{Name: "x"}); !errors.As(err, &option) {
		t.Errorf("%v is no mistake in the command line", err)
	}
}

// TestWrittenOptions pins what is said of options whose text the program itself reads.
func TestWrittenOptions(t *testing.T) {
	for want, written := range map[string]writtenOptions{
		"-C and --empty are opposites; give one of them": {copied: true, empty: true},
		"-N: host excludes every other -N":               {networks: []string{"host", "dhcp"}},
		`--capabilities: "CAP_X" is not a capability that libvirt can give or take, such as CAP_NET_RAW; see ` +
			`capabilities(7)`: {
			capabilities: "CAP_X",
		},
		`--system-calls: "Keyctl" is not the name of a system call, such as keyctl; see syscalls(2)`: {
			systemCalls: "auto +Keyctl"},
		`--idmap: idmap "many" is not auto, none, nor BASE:COUNT such as 100000000:65536, both at least 65536`: {
			idMap: "many"},
		`--show etc: "etc" must be an absolute path without "..", "//" or a trailing slash`: {shown: []string{"etc"}},
		`-i "big" is not a size such as 500 (MB of 1000000 bytes), 512M or 2G`: {
			imageSize: "big"},
		`-s: label "u:r:t" is not USER:ROLE:TYPE:LEVEL`: {
			security: "static,label=u:r:t"},
		`-s: security option "static" is not dynamic[,label=…], static,label=…, inherit, or apparmor,profile=…`: {
			security: "static"},
	} {
		var o helper.CreateOptions
		if err := written.parse(&o); err == nil || flagname.Text(usageError{err}) != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	for _, unit := range []string{"", "a/b", "ht tpd", ".."} {
		o := helper.CreateOptions{Units: []string{"httpd", unit}}
		if err := (writtenOptions{}).parse(&o); err == nil || !strings.Contains(err.Error(), "is not the name of a unit") {
			t.Errorf("-u %q: %v", unit, err)
		}
	}
	var o helper.CreateOptions
	written := writtenOptions{
		networks:     []string{"dhcp", "bridge=br0"},
		capabilities: "all",
		systemCalls:  "auto +keyctl",
		idMap:        "auto",
		imageSize:    "500",
		security:     "dynamic",
	}
	if err := written.parse(&o); err != nil || len(o.Interfaces) != 2 || !o.IDMap.Auto ||
		o.Capabilities.String() != "all" ||
		o.SystemCalls.String() != "auto +keyctl" ||
		o.Image.Size != 500_000_000 ||
		o.Security.Mode != config.SecurityDynamic {
		t.Errorf("got %+v, %v", o, err)
	}
}

// What the host has is copied unless --empty says otherwise; -C does nothing more.
func TestCopyByDefault(t *testing.T) {
	for want, written := range map[bool][]writtenOptions{true: {{}, {copied: true}}, false: {{empty: true}}} {
		for _, w := range written {
			var o helper.CreateOptions
			if err := w.parse(&o); err != nil || o.Copy != want {
				t.Errorf("%+v: got %v, %v; want %v", w, o.Copy, err, want)
			}
		}
	}
	o := helper.CreateOptions{Include: []string{"/etc/x"}}
	if err := (writtenOptions{empty: true}).parse(&o); err == nil {
		t.Error("--include with --empty is taken")
	}
}
