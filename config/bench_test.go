// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

// BenchmarkParse is what the generator does for each container at boot.
func BenchmarkParse(b *testing.B) {
	text := New("web")
	text.Units = []string{"httpd.service"}
	text.UUID, text.MachineID = "01234567-89ab-4def-8123-456789abcdef", "0123456789ab4def8123456789abcdef"
	text.Security.Level = "s0:c10,c20"
	for _, p := range []string{"/etc/httpd", "/etc/default/httpd", "/etc/sysconfig/httpd", "/var/lib/httpd", "/var/www",
		"/var/cache/httpd"} {
		text.Private = append(text.Private, PrivatePath{Path: p, Origin: "package:httpd"})
	}
	written := text.Text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("web.sandbox", written); err != nil {
			b.Fatal(err)
		}
	}
}
