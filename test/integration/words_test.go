// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
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
open("/run/liar.serves", "w").close()
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
		inside(t, "t-liar", "systemd-run --quiet --unit=t-liar python3 /run/liar.py '"+line+"'; "+
			"timeout 20 sh -c 'until test -e /run/liar.serves; do sleep .1; done'; rm /run/liar.serves")
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

// Root inside gets nothing of today's host by removing what it has, and makes no tree that cannot be deleted.
func TestHostileContent(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-hostile", "-C", "-u", "apache2")
	must(t, "start", "t-hostile")
	late := "/etc/apache2/t-hostile-late"
	if err := os.WriteFile(late, []byte("secret of today"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(late) })
	tree := contentDir + "/t-hostile"
	inside(t, "t-hostile", "rm -rf /etc/apache2/*")
	must(t, "stop", "t-hostile")
	if err := os.RemoveAll(tree + "/etc/apache2"); err != nil {
		t.Fatal(err)
	}
	o := run(t, "start", "t-hostile")
	if _, err := os.Lstat(tree + "/etc/apache2"); err != nil {
		t.Errorf("there is no place to mount at: %v", err)
	}
	if names, err := os.ReadDir(tree + "/etc/apache2"); err != nil || len(names) > 0 {
		t.Errorf("what was removed is back: %v, %v", names, err)
	}
	if o.status == 0 {
		must(t, "stop", "t-hostile")
	}
	shell(t, "cd "+tree+"/var/tmp && perl -e 'for (1..21000) { mkdir \"d\"; chdir \"d\" or die }'")
	if o := run(t, "clone", "t-hostile", "t-hostile2"); o.status != 1 || !strings.Contains(o.stderr, "below each other") {
		t.Errorf("clone: %+v", o)
	}
	must(t, "delete", "t-hostile")
	if _, err := os.Lstat(tree); err == nil {
		t.Error("the content is left")
	}
}

// A console that never rests does not pass on whole, and the container stops as ever.
func TestConsoleFlood(t *testing.T) {
	rig.On(t, rig.Native)
	createCommand(t, "t-flood", nil, "sh", "-c", "trap 'exit 0' TERM; (while :; do echo '<0>flood'; done) & wait")
	must(t, "start", "t-flood")
	time.Sleep(10 * time.Second)
	must(t, "stop", "t-flood")
	said := must(t, "logs", "t-flood")
	// Ten seconds of it, and 2 MiB at once from whoever starts it and from the monitor, with what each line costs.
	if lines := strings.Count(said, "\n"); lines > 20_000 || lines < 1000 {
		t.Errorf("%d lines pass", lines)
	}
	if !strings.Contains(said, "bytes of output were dropped") {
		t.Error("it is not said what was dropped")
	}
}
