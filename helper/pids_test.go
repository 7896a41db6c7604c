package helper

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
