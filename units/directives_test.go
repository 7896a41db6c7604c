// SPDX-License-Identifier: Apache-2.0

package units

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// TestCheckDirectives: what systemd would only warn about is found with file and line, also of a sandbox that is to be.
func TestCheckDirectives(t *testing.T) {
	store := config.Store{Dir: t.TempDir()}
	for file, text := range map[string]string{
		"web.sandbox":          "[sandbox]\nformat=2\nunit=httpd.service\n[unit]\nAfter=gone.sandbox db.sandbox\n",
		"db.sandbox":           "[sandbox]\nformat=2\nunit=db.service\n[service]\nRestartSec=1\n",
		"new.sandbox.d/a.conf": "[service]\nRestrtSec=1\n",
	} {
		file = filepath.Join(store.Dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"web": store.Path("web") + ":5: After=gone.sandbox: gone: no such sandbox (" + store.Path("gone") + ")",
		"db":  "",
		"new": store.Dir + "/new.sandbox.d/a.conf:2: RestrtSec= in [service] is no directive that this program knows; " +
			"did you mean RestartSec=?",
	} {
		got := ""
		if err := CheckDirectives(store, name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}
