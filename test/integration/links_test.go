// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Where directories of the host's root are links, as on hosts of rpm-ostree, and a service keeps resolv.conf below
// /run, as systemd-resolved does, containers and one-shots have what they have elsewhere.
func TestHostOfLinks(t *testing.T) {
	rig.On(t, rig.Host)
	before := snapshot(t)
	const resolver = "/etc/resolv.conf"
	turn := func(place, kept, link string) {
		shell(t, "mv "+place+" "+kept+" && ln -s "+link+" "+place)
		t.Cleanup(func() { shell(t, "rm "+place+" && mv "+kept+" "+place) })
	}
	shell(t, "mkdir /run/t-resolve && echo nameserver 192.0.2.53 >/run/t-resolve/stub.conf")
	t.Cleanup(func() { shell(t, "rm -r /run/t-resolve") })
	turn(resolver, resolver+".t-kept", "../run/t-resolve/stub.conf")
	for _, top := range []string{"srv", "home", "root", "opt"} {
		turn("/"+top, "/var/t-"+top, "var/t-"+top)
	}
	create(t, "t-links", "-C", "-u", "apache2", "-N", "host")
	must(t, "start", "t-links")
	for question, want := range map[string]string{
		"cat " + resolver: "nameserver 192.0.2.53\n",
		"for d in /srv /home /root; do touch $d/x && echo $d; done": "/srv\n/home\n/root\n",
		"curl -s -o /dev/null -w '%{http_code}' localhost":          "200",
	} {
		if got := inside(t, "t-links", question); got != want {
			t.Errorf("%s: %q", question, got)
		}
	}
	must(t, "stop", "t-links")
	must(t, "delete", "t-links")
	for _, user := range []string{"root", "nobody"} {
		o := runCommand(t, once("-N", "host", "-S", user, "--", "sh", "-c", "cat "+resolver+"; ls /srv"))
		if o.status != 0 || o.stdout != "nameserver 192.0.2.53\n" {
			t.Errorf("a one-shot of %s: %+v", user, o)
		}
	}
	sameAs(t, before, "after delete")
}
