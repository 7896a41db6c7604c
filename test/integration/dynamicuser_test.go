// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A unit with DynamicUser= runs as a user of the container, without CAP_SYS_ADMIN, and its state is that user's: also
// state that it had as a user of the moment. Under SELinux it needs no policy of its own.
func TestDynamicUser(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	const unit = "/etc/systemd/system/t-moment.service"
	text := "[Service]\nType=oneshot\nRemainAfterExit=yes\nDynamicUser=yes\nStateDirectory=t-moment\n" +
		"ExecStart=/bin/sh -c 'id -un >/var/lib/t-moment/who; grep NoNewPrivs /proc/self/status >>/var/lib/t-moment/who; " +
		"cat /var/lib/t-moment/old; touch /etc/x || true'\n"
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shell(t, "rm -rf "+unit+" /var/lib/private/t-moment /var/lib/t-moment") })
	shell(t, "mkdir -p -m 700 /var/lib/private && mkdir /var/lib/private/t-moment && "+
		"ln -s private/t-moment /var/lib/t-moment && echo old >/var/lib/private/t-moment/old && "+
		"chown -R 61999 /var/lib/private/t-moment && chmod 600 /var/lib/private/t-moment/old")
	o := run(t, "create", "-P", "hostname", "-u", "t-moment", "t-moment")
	t.Cleanup(func() { remove(t, "t-moment") })
	if o.status != 0 || !strings.Contains(o.stderr, "the user t-moment of this container") {
		t.Fatalf("create: %+v", o)
	}
	must(t, "start", "t-moment")
	for range 2 {
		got := inside(t, "t-moment", "cat /var/lib/t-moment/who; "+
			"stat -c '%U %G %F' /var/lib/t-moment /var/lib/t-moment/old; "+
			"test -e /etc/x && echo 'wrote to /etc'; "+
			"awk '/CapBnd/ { print substr($2, 11, 1) }' /proc/1/status")
		// CAP_SYS_ADMIN is bit 21, in the sixth digit from the end.
		want := "t-moment\nNoNewPrivs:\t1\nt-moment t-moment directory\nt-moment t-moment regular file\n"
		bound, isSame := strings.CutPrefix(got, want)
		if !isSame || len(bound) != 2 || strings.ContainsAny(bound[:1], "2367abef") {
			t.Errorf("got %q, want %q and no CAP_SYS_ADMIN", got, want)
		}
		must(t, "stop", "t-moment")
		must(t, "start", "t-moment")
	}
}
