// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOrder: what a module needs comes before it, and nothing comes twice.
func TestOrder(t *testing.T) {
	x := index{
		needs: parseDependencies(`kernel/net/9p/9pnet.ko:
kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/fscache/fscache.ko kernel/fs/netfs/netfs.ko
kernel/fs/fscache/fscache.ko: kernel/fs/netfs/netfs.ko
kernel/fs/netfs/netfs.ko:
kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio.ko:
kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz
kernel/fs/jbd2/jbd2.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/crypto/crc32c_generic.ko.xz:
kernel/arch/x86/crypto/crc32c-intel.ko.xz:
kernel/one.ko:
kernel/two.ko:
`),
		builtin: parseBuiltin("kernel/drivers/virtio/virtio_pci.ko\n"),
		soft: parseSoft("softdep ext4 pre: crypto-crc32c\nsoftdep jbd2 pre: crypto-crc32c\nsoftdep one pre: two\n" +
			"softdep two pre: one\n"),
		aliases: parseAliases("alias crypto-crc32c crc32c_intel\nalias crypto-crc32c crc32c_generic\nalias cpu:type:x86* " +
			"crc32c_intel\n"),
	}
	cases := []struct{ names, want string }{
		{"", ""},
		{"virtio_pci", ""},
		{"virtio-pci 9p", "netfs fscache 9pnet 9p"},
		{"9pnet_virtio 9p 9p", "virtio 9pnet 9pnet_virtio netfs fscache 9p"},
		{"ext4", "crc16 ?crc32c_intel ?crc32c_generic jbd2 ext4"},
		{"ext4 crc32c-generic", "crc16 ?crc32c_intel crc32c_generic jbd2 ext4"},
		{"one", "?two one"}, // and two has one before it, which is under way
	}
	for _, c := range cases {
		list, err := x.order(strings.Fields(c.names))
		if err != nil {
			t.Errorf("%s: %v", c.names, err)
		}
		var got []string
		for _, m := range list {
			if m.optional {
				m.name = "?" + m.name
			}
			got = append(got, m.name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %s, want %s", c.names, strings.Join(got, " "), c.want)
		}
	}
	var missing *MissingModules
	if _, err := x.order([]string{"9p", "xfs", "btrfs"}); !errors.As(err, &missing) ||
		!slices.Equal(missing.Names, []string{"xfs", "btrfs"}) {
		t.Errorf("missing: got %v", err)
	}
}

func TestModuleName(t *testing.T) {
	for file, want := range map[string]string{
		"kernel/fs/9p/9p.ko": "9p", "crc32c-intel.ko.xz": "crc32c_intel", "a.ko.zst": "a", "a.ko.gz": "a", "a.ko.bz2": "",
		"a": "", ".ko": "", "": "", "a.ko/": "a",
	} {
		if got := moduleName(file); got != want {
			t.Errorf("%q: got %q, want %q", file, got, want)
		}
	}
}

// TestDependenciesStayInside: no line of modules.dep leads out of its directory.
func TestDependenciesStayInside(t *testing.T) {
	got := parseDependencies("../a.ko:\n/etc/b.ko:\nkernel/c.ko: ../../d.ko\nkernel/e.ko: kernel/../../f.ko\n" +
		"kernel/g.ko: kernel/h.ko\nkernel/i.ko: passwd\n")
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{"g"}) {
		t.Errorf("got %q", names)
	}
}

func FuzzModules(f *testing.F) {
	f.Add("kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n", "kernel/c.ko\n", "softdep a pre: b post: c\n", "alias x a\n")
	f.Add("kernel/a.ko: kernel/a.ko\n", "", "softdep a pre: a\n", "alias a a\n")
	f.Add("../a.ko:", ":", "softdep", "alias a")
	f.Fuzz(func(t *testing.T, dependencies, builtin, soft, aliases string) {
		x := index{parseDependencies(dependencies), parseBuiltin(builtin), parseSoft(soft), parseAliases(aliases)}
		for name := range x.needs {
			list, err := x.order([]string{name})
			if err != nil {
				t.Fatalf("%q is there: %v", name, err)
			}
			seen := make(map[string]bool)
			for _, m := range list {
				if seen[m.name] || !filepath.IsLocal(m.file) || strings.ContainsAny(m.name, "/ \n") {
					t.Fatalf("%q: %v", name, list)
				}
				seen[m.name] = true
			}
			if !x.builtin[name] && !seen[name] {
				t.Fatalf("%q is not among %v", name, list)
			}
		}
	})
}
