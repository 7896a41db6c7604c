// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

func TestHostUnit(t *testing.T) {
	cases := []struct {
		sandbox Sandbox
		want    string
	}{
		{Sandbox{Name: "web1", Units: []string{"httpd.service"}}, "httpd@web1.service"},
		{Sandbox{Name: "web1", Units: []string{"httpd.service", "php-fpm.service"}}, "httpd@web1.service"},
		{Sandbox{Name: "a.b-c", Units: []string{"dbus-org.bluez.service"}}, "dbus-org.bluez@a.b-c.service"},
		{Sandbox{Name: "s", Units: []string{"sshd.socket"}}, "sshd@s.service"},
		{Sandbox{Name: "t", Units: []string{"getty@tty1.service"}}, "getty@t.service"},
		{Sandbox{Name: "job", Command: []string{"/bin/true"}}, "virt-sandbox@job.service"},
	}
	for _, c := range cases {
		if got := c.sandbox.HostUnit(); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.sandbox, got, c.want)
		}
	}
}
