// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// liar takes the place of the bus inside and says its first argument without end.
const liar = `import os, socket, sys
os.rename("/run/dbus/system_bus_socket", "/run/dbus/real")
s = socket.socket(socket.AF_UNIX)
s.bind("/run/dbus/system_bus_socket")
s.listen()
while True:
    c = s.accept()[0]
    try:
        c.recv(100)
        c.sendall(sys.argv[1].encode("latin-1").decode("unicode_escape").encode("latin-1"))
        while True:
            c.sendall(b"x" * 1000000)
    except OSError:
        c.close()
`

// A bus inside that never ends what it says keeps no verb busy and takes none of the host's memory.
func TestBusThatNeverEnds(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-liar", "-C", "-u", "apache2")
	must(t, "start", "t-liar")
	inside(t, "t-liar", "cat >/run/liar.py <<'X'\n"+liar+"X\n")
	for line, want := range map[string]string{
		`OK `:      "it says more than it was asked for",
		`OK 0\r\n`: "no D-Bus message",
	} {
		inside(t, "t-liar", "systemd-run --quiet --unit=t-liar python3 /run/liar.py '"+line+"'; sleep 1")
		begun := time.Now()
		o := run(t, "status", "t-liar")
		if took := time.Since(begun); o.status != 0 || took > 4*time.Second || !strings.Contains(o.stderr, want) {
			t.Errorf("%q: after %v: %+v", line, took, o)
		}
		if o := run(t, "reload", "t-liar"); o.status != 1 {
			t.Errorf("%q: reload: %+v", line, o)
		}
		inside(t, "t-liar", "systemctl stop t-liar; mv /run/dbus/real /run/dbus/system_bus_socket")
	}
	if got := must(t, "status", "t-liar"); !strings.Contains(got, "Inside: apache2.service active (running)") {
		t.Errorf("afterwards: %s", got)
	}
}
