// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// A sandbox starts with the host when its unit is wanted, or when it has no unit file and its config says so.
func TestEnabled(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{
		"virt-sandbox.target.wants/httpd@on.service", "httpd@on.service", "httpd@off.service", "httpd@auto-off.service",
		"multi-user.target.requires/httpd@other.service",
	} {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	enabled := ReadEnabled(dir)
	for name, want := range map[string]bool{
		"on": true, "off": false, "other": true, "none": false, "auto": true, "auto-off": false,
	} {
		s := config.New(name)
		s.Units = []string{"httpd.service"}
		s.Autostart = name == "auto" || name == "auto-off"
		if got := enabled.Has(s); got != want {
			t.Errorf("%s (%s): %t", name, s.HostUnit(), got)
		}
	}
	if ReadEnabled(dir + "/none").Has(config.New("x")) {
		t.Error("enabled where nothing is")
	}
}
