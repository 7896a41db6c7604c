// SPDX-License-Identifier: Apache-2.0

package cgroup

import "testing"

func TestIsOfContainer(t *testing.T) {
	for dir, want := range map[string]bool{
		"/sys/fs/cgroup/machine.slice/machine-lxc\\x2d12\\x2dweb.scope/libvirt": true,
		"/sys/fs/cgroup/machine/lxc-12-web.libvirt-lxc":                         true,
		"/sys/fs/cgroup/machine.slice":                                          false,
		"/sys/fs/cgroup/system.slice/libvirtd.service":                          false,
		"/sys/fs/cgroup": false,
	} {
		if got := isOfContainer(dir); got != want {
			t.Errorf("%s: got %t, want %t", dir, got, want)
		}
	}
}

func TestWholeOf(t *testing.T) {
	const scope = `/sys/fs/cgroup/machine.slice/machine-lxc\x2d12\x2dweb1.scope`
	for _, c := range []struct{ dir, want string }{
		{"/sys/fs/cgroup/freezer/machine/lxc-12-web1.libvirt-lxc", "/sys/fs/cgroup/freezer/machine/lxc-12-web1.libvirt-lxc"},
		{scope + "/libvirt/virt-sandbox-web1/init.scope", scope},
		{"/sys/fs/cgroup/pids/virt-sandbox-web1/container", "/sys/fs/cgroup/pids/virt-sandbox-web1"},
		{"/sys/fs/cgroup/system.slice/libvirtd.service", ""},
		{"/sys/fs/cgroup/pids/virt-sandbox-web2", ""},
		{"", ""},
	} {
		if got := wholeOf(c.dir, "web1"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.dir, got, c.want)
		}
	}
}

func TestIsOthers(t *testing.T) {
	for _, c := range []struct {
		group, toRemove string
		others          bool
	}{
		{"lxc-12-web1.libvirt-lxc", "virt-sandbox-web1", false},
		{"lxc-12-web2.libvirt-lxc", "virt-sandbox-web1", true},
		{"lxc-12-a-name-that-libvirt-cu.libvirt-lxc", "virt-sandbox-a-name-that-libvirt-cuts", false},
		{"lxc-12-web.1.libvirt-lxc", "virt-sandbox-web_.1", false},
		{`machine-lxc\x2d12\x2dweb1.scope`, "virt-sandbox-web1", false},
		{`machine-lxc\x2d12\x2dother.scope`, "virt-sandbox-web1", true},
		{"lxc-7-web1.libvirt-lxc", "lxc-12-web1.libvirt-lxc", true},
		{"system.slice", "virt-sandbox-web1", false},
		{"lxc-12", "virt-sandbox-web1", false},
	} {
		if got := isOthers(c.group, c.toRemove); got != c.others {
			t.Errorf("isOthers(%q, %q) is %v", c.group, c.toRemove, got)
		}
	}
}

func TestMadeByLibvirt(t *testing.T) {
	for text, want := range map[string]string{
		"9:pids:/machine/lxc-12-web.libvirt-lxc\n0::/x\n":            "lxc-12-web.libvirt-lxc",
		"9:pids:/machine/lxc-13-web.libvirt-lxc\n":                   "", // of another process
		"0::/machine.slice/machine-lxc\\x2d12\\x2dweb.scope/libvirt": "",
		"": "",
	} {
		tree := fakeTree(t, nil, 12, text)
		if got := tree.MadeByLibvirt(12); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := fakeTree(t, nil, 12, "").MadeByLibvirt(13); got != "" {
		t.Errorf("of a process that is not there: %q", got)
	}
}
