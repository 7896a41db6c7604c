// SPDX-License-Identifier: Apache-2.0

package content

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// The certificate that each host makes for itself is made anew for a container: a pair that fits, with the host's
// modes, in no other container.
func TestCertificateOfItsOwn(t *testing.T) {
	const key, itself = "/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/ssl/certs/ssl-cert-snakeoil.pem"
	h := fakeHost{Host{Root: hosttest.Root(t, map[string]string{key: "the host's key", itself: "the host's"})}, t}
	if err := os.Chmod(h.Root+key, 0o640); err != nil {
		t.Fatal(err)
	}
	seen := ""
	for _, id := range []string{machineID, strings.Repeat("ab", 16)} {
		s := box(t)
		s.MachineID = id
		s.Private = []config.PrivatePath{{Path: itself, Origin: "named:/etc/d:1"}, {Path: key, Origin: "named:/etc/d:1"}}
		prepare(t, h, s)
		if _, err := tls.LoadX509KeyPair(s.Content+itself, s.Content+key); err != nil {
			t.Fatal(err)
		}
		text := hosttest.Reads(t, s.Content, key)
		if text == seen || strings.Contains(text, "the host's") {
			t.Errorf("the key is another's: %.40s", text)
		}
		seen = text
		if info, err := os.Stat(s.Content + key); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("mode: %v, %v", info.Mode(), err)
		}
		if got, want := manifest(t, s)[key], "file from named:/etc/d:1 "+digestOfText(text); got != want {
			t.Errorf("the manifest says %q, want %q", got, want)
		}
		prepare(t, h, s)
		if hosttest.Reads(t, s.Content, key) != seen {
			t.Error("the next start makes another key")
		}
	}
}
