// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A service that the host's RPM database owns gets its private paths from there: the RPM is recorded as the owner of
// the distribution's Apache, under the name that the merged /usr has for its unit.
func TestServiceOfRPM(t *testing.T) {
	rig.On(t, rig.Native)
	dir := t.TempDir()
	spec := `Name: vst-httpd
Version: 1
Release: 1
Summary: The distribution's Apache as an RPM
License: none
BuildArch: noarch
AutoReqProv: no
%description
Owns what dpkg installed.
%install
mkdir -p %{buildroot}/usr/lib/systemd/system %{buildroot}/etc %{buildroot}/var
cp /usr/lib/systemd/system/apache2.service %{buildroot}/usr/lib/systemd/system
cp -a /etc/apache2 %{buildroot}/etc
cp -a /var/www %{buildroot}/var
%files
/usr/lib/systemd/system/apache2.service
%config(noreplace) /etc/apache2
/var/www
`
	if err := os.WriteFile(dir+"/vst-httpd.spec", []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	shell(t, "rpmbuild -bb --define '_topdir "+dir+"/top' "+dir+"/vst-httpd.spec")
	shell(t, "rpm -i --nodeps --justdb "+dir+"/top/RPMS/noarch/*.rpm")
	t.Cleanup(func() { shell(t, "rpm -e --nodeps --justdb vst-httpd") })

	create(t, "t-rpm", "-C", "-u", "apache2.service")
	config := described(t, "t-rpm")
	for _, want := range []string{"path=package:vst-httpd /etc/apache2\n", "path=package:vst-httpd /var/www\n"} {
		if !strings.Contains(config, want) {
			t.Errorf("the config lacks %q:\n%s", want, config)
		}
	}
	must(t, "start", "t-rpm")
	if got := inside(t, "t-rpm", "curl -s http://localhost/"); !strings.Contains(got, "Apache2 Debian Default Page") {
		t.Errorf("serves %q", got)
	}
}
