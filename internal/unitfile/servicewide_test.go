// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestConfinements: what the administrator has all services confined by, and nothing that is for one service, or that
// confines nothing.
func TestConfinements(t *testing.T) {
	const etc = "/etc/systemd/system/"
	host := Root(hosttest.Root(t, map[string]string{
		etc + "service.d/zz.conf":                           "[Service]\nUser=nobody\nProtectSystem=strict\nUser=root\n",
		etc + "service.d/tell.conf":                         "[Unit]\nOnFailure=tell.service\nUser=nobody\n",
		etc + "service.d/README":                            "[Service]\nUser=nobody\n",
		etc + "d.service.d/10.conf":                         "[Service]\nUser=nobody\n",
		etc + "service.d/masked.conf":                       "-> /dev/null",
		"/usr/lib/systemd/system/service.d/10-shipped.conf": "[Service]\nNoNewPrivileges=yes\n",
	}))
	got := host.Confinements()
	if len(got) != 1 || got[0].File != etc+"service.d/zz.conf" ||
		strings.Join(got[0].Directives, " ") != "ProtectSystem User" {
		t.Errorf("got %+v", got)
	}
}
