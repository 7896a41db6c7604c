// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestGivenPaths: what systemd reads for a unit is private, below the directories where secrets are.
func TestGivenPaths(t *testing.T) {
	root := hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/d.service": "[Service]\nLoadCredential=token:/etc/d.token other relative:d/x\n" +
			"LoadCredential=socket:/run/d.socket\nLoadCredentialEncrypted=e:/var/lib/secrets/e\n" +
			"EnvironmentFile=-/etc/d.d/*.env\nEnvironmentFile=/etc/plain\nEnvironmentFile=/etc/[\n",
		"/etc/d.d/b.env": "", "/etc/d.d/a.env": "", "/etc/d.d/README": "", "/etc/plain": "",
	})
	u, err := unitfile.Root(root).Find("d", "box")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range (Planner{Root: root}).givenPaths(u) {
		got = append(got, c.path+" "+c.origin)
	}
	want := "/etc/d.token unit:d.service/LoadCredential|/var/lib/secrets/e unit:d.service/LoadCredentialEncrypted|" +
		"/etc/d.d/a.env unit:d.service/EnvironmentFile|/etc/d.d/b.env unit:d.service/EnvironmentFile"
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}
