package helper

import "testing"

func TestIsOthersGroup(t *testing.T) {
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
		if got := isOthersGroup(c.group, c.toRemove); got != c.others {
			t.Errorf("isOthersGroup(%q, %q) is %v", c.group, c.toRemove, got)
		}
	}
}
