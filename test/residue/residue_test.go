// SPDX-License-Identifier: Apache-2.0

package residue

import "testing"

func TestOfContainer(t *testing.T) {
	for cgroup, want := range map[string]bool{
		"/sys/fs/cgroup/system.slice":                                                            true,
		"/sys/fs/cgroup/system.slice/systemd-tmpfiles-clean.service":                             false,
		"/sys/fs/cgroup/systemd/system.slice/apt-daily.service/part":                             false,
		"/sys/fs/cgroup/system.slice/system-httpd.slice":                                         false,
		"/sys/fs/cgroup/system.slice/system-httpd.slice/httpd@web1.service":                      true,
		"/sys/fs/cgroup/system.slice/virt-sandbox-reload.service":                                true,
		"/sys/fs/cgroup/system.slice/web1_sandbox.service":                                       true,
		"/sys/fs/cgroup/machine.slice":                                                           false,
		"/sys/fs/cgroup/machine.slice/machine-lxc\\x2d1\\x2dweb1.scope":                          true,
		"/sys/fs/cgroup/virt-sandbox-web1":                                                       true,
		"/sys/fs/cgroup/system.slice/system-httpd.slice/httpd@web1.service/libvirt/system.slice": true,
	} {
		if got := ofContainer(cgroup); got != want {
			t.Errorf("%s: %v", cgroup, got)
		}
	}
}
