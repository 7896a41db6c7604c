// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// What a person chooses comes with what its links lead to, secrets too: certbot's names of certificates are links.
// What no sandbox gets does not come by a link either.
func TestChosen(t *testing.T) {
	root := hosttest.Root(t, map[string]string{
		"/etc/letsencrypt/archive/mail/privkey1.pem": "secret", "/etc/letsencrypt/archive/mail/cert1.pem": "public",
		"/etc/letsencrypt/live/mail/README": "text", "/etc/shadow": "secret", "/usr/share/doc/x": "",
	})
	live := filepath.Join(root, "/etc/letsencrypt/live/mail")
	for _, closed := range []string{"/etc/letsencrypt/archive", "/etc/letsencrypt/live"} {
		if err := os.Chmod(root+closed, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"privkey.pem": "../../archive/mail/privkey1.pem", "cert.pem": "../../archive/mail/cert1.pem",
		"shadow": "../../../shadow", "doc": "../../../../usr/share/doc/x", "own": "README", "none": "../../gone",
	} {
		if err := os.Symlink(target, filepath.Join(live, name)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, p := range (Planner{Root: root}).Chosen("/etc/letsencrypt/live/mail") {
		got = append(got, p.Origin+" "+p.Path)
	}
	const origin = "link:/etc/letsencrypt/live/mail /etc/letsencrypt/archive/mail/"
	if len(got) != 2 || got[0] != origin+"cert1.pem" || got[1] != origin+"privkey1.pem" {
		t.Errorf("%q", got)
	}
}
