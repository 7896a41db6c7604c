// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"os"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// TestShown: of software that no package keeps, a sandbox sees what its units name, and what its command names.
func TestShown(t *testing.T) {
	h, _ := newHost(t)
	hosttest.Add(t, string(h.Places), map[string]string{
		"/etc/systemd/system/app.service": "[Service]\nExecStart=-/opt/app/bin/server --config=/opt/conf/%p.conf " +
			"/opt/absent/x\nEnvironmentFile=-/usr/local/etc/app\n",
		"/opt/app/bin/server": "", "/opt/conf/": "", "/opt/other/": "", "/usr/local/etc/": "", "/opt/file": "",
	})
	for _, c := range []struct {
		units, command, want []string
	}{
		{units: []string{"app.service"}, want: []string{"/opt/app", "/opt/conf", "/usr/local"}},
		{units: []string{"web.service", "of-the-container.service"}},
		{command: []string{"/opt/other/run", "/opt/../opt/app/x", "/opt/file", "/opt", "/optical/x"},
			want: []string{"/opt/other", "/opt/app"}},
	} {
		s := config.New("web")
		s.Units, s.Command = c.units, c.command
		if got, err := h.shown(s); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q, %q: %q, %v; want %q", c.units, c.command, got, err, c.want)
		}
	}
}

// TestOneShotView: a one-shot sees the home of its user, if that is not root, and no file that only root may read.
func TestOneShotView(t *testing.T) {
	h, _ := newHost(t)
	hosttest.Add(t, string(h.Places), map[string]string{"/home/joe/": "", "/root/": "", "/opt/x/": "", "/usr/local/": ""})
	dir := h.Places.Of("web").OneShot()
	if err := os.MkdirAll(dir.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	useEtc := func() (string, error) { return h.Etc().Use(dir.NoteEtc) }
	for _, c := range []struct {
		identity config.Identity
		home     bool
	}{
		{config.Identity{UID: 1000, Home: "/home/joe"}, true},
		{config.Identity{UID: 1000, Home: "/home/absent"}, false},
		{config.Identity{UID: 1000, Home: "/"}, false},
		{config.Identity{UID: 1000}, false},
		{config.Identity{Home: "/root"}, false},
	} {
		s := config.New("web")
		s.Identity, s.Command = c.identity, []string{"/opt/x/run"}
		v, err := h.OneShotView(s, useEtc)
		if err != nil {
			t.Fatal(err)
		}
		if c.home != slices.ContainsFunc(v.Mounts, func(m roottree.Mount) bool {
			return m.Target == c.identity.Home && m.ReadOnly
		}) {
			t.Errorf("%+v: %+v", c.identity, v.Mounts)
		}
		generation, err := dir.Etc()
		if err != nil || generation == "" {
			t.Errorf("it is not noted what of /etc is seen: %v", err)
		}
		for _, m := range v.Mounts {
			if m.Target == "/etc" && m.Source != h.Etc().Dir(generation) {
				t.Errorf("/etc is %s, generation %s is noted", m.Source, generation)
			}
			if closed := slices.Contains([]string{"/opt/x", "/usr/local"}, m.Target); closed != m.NoOwners {
				t.Errorf("%s shows owners: %v", m.Target, !m.NoOwners)
			}
		}
	}
	if err := os.RemoveAll(string(h.Places) + "/usr"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.OneShotView(config.New("web"), useEtc); err != nil {
		t.Errorf("on a host without /usr: %v", err)
	}
}
