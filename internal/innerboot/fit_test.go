// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestDropInsCountMost: what takes something out of a unit comes after what an administrator calls his drop-ins, which
// it was worked out from, and what the config says after that.
func TestDropInsCountMost(t *testing.T) {
	s := box("d.service")
	s.Service = []config.Directive{{Name: "NoNewPrivileges", Value: "no"}}
	root := unitfile.Root(hosttest.Root(t, map[string]string{
		lib + "d.service": bare,
		etc + "d.service.d/override.conf": "[Unit]\nConditionVirtualization=!container\n[Service]\nDynamicUser=yes\n" +
			"AmbientCapabilities=CAP_SYSLOG\nCPUSchedulingPolicy=fifo\nPrivateUsers=yes\nBindPaths=/srv/d:/srv/e\n",
	}))
	s.Hardening.IDMap.Count = 65536
	f, err := fitOf(root, s, true)
	if err != nil {
		t.Fatal(err)
	}
	files := Runtime(s, *f)
	var names []string
	said := ""
	for name, text := range files {
		names = append(names, path.Base(name))
		said += text
	}
	slices.Sort(names)
	for _, name := range append([]string{"override.conf", "99-local.conf", "zz-last.conf"}, names...) {
		if strings.Contains(name, "virt-sandbox") == (name < "zz-virt") {
			t.Errorf("of %q, %s does not come where it has to", names, name)
		}
	}
	for _, want := range []string{
		"ConditionVirtualization=\n", "DynamicUser=no\n", "AmbientCapabilities=~CAP_SYSLOG\n", "CPUSchedulingPolicy=other\n",
		"PrivateUsers=no\n", "BindPaths=\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	if last := names[len(names)-1]; !strings.Contains(files["d.service.d/"+last], "NoNewPrivileges=no\n") {
		t.Errorf("of %q, the last is not what the config says", names)
	}
	set, err := root.FindAll(s.Units, s.Name, func(err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range Plan(root, s, set, true) {
		if strings.HasSuffix(e.Path, ".conf") && strings.Contains(e.Text, "Users=") {
			t.Errorf("content has %s, which comes with each start", e.Path)
		}
	}
}

// TestPulledUnits: what others start is adapted, and has the conditions of its own where the sandbox can be without it.
func TestPulledUnits(t *testing.T) {
	const pulled = "[Service]\nExecStart=/usr/sbin/x\nDynamicUser=yes\nAmbientCapabilities=CAP_SYSLOG\n" +
		"BindPaths=/srv/x:/srv/y\n"
	const conditional = "[Unit]\nConditionVirtualization=!container\n"
	files := map[string]string{
		lib + "d.service": "[Unit]\nRequires=r.service\nWants=w.service c.service clock.service gone.service " +
			"dev-hugepages.mount disk.mount first.service\n" + bare,
		lib + "first.service":  "[Unit]\nRequires=second.service\n" + bare,
		lib + "second.service": "[Unit]\nBindsTo=clock.service\n" + bare,
		lib + "r.service":      conditional + pulled, lib + "w.service": strings.ReplaceAll(pulled, "/srv/y", "/usr/y"),
		lib + "c.service":             conditional + pulled,
		lib + "clock.service":         "[Unit]\nConflicts=systemd-timesyncd.service\n" + bare,
		lib + "dev-hugepages.mount":   "[Mount]\nWhere=/dev/hugepages\n",
		lib + "disk.mount":            "[Mount]\nWhere=/disk\n",
		etc + "r.service.d/mine.conf": "[Service]\nNice=1\n", "/usr/y/a": "",
		etc + "r.service.wants/e.service": "-> " + etc + "e.service", etc + "e.service": bare,
		etc + "r.service.wants/stub.service": "-> " + etc + "absent.service",
	}
	got := fitted(t, files, "d")
	for unit, wants := range map[string][]string{
		"r.service": {
			"ConditionVirtualization=\n", "DynamicUser=no\nUser=r\n", "AmbientCapabilities=~CAP_SYSLOG\n", "Type=exec\n",
		},
		"w.service": {"DynamicUser=no\nUser=w\n", "AmbientCapabilities=~CAP_SYSLOG\n", "Type=exec\n"},
	} {
		text := got[unit+".d/"+adaptedDropIn]
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", unit, text, want)
			}
		}
	}
	for _, unit := range []string{"clock.service", "first.service", "second.service"} {
		if text, found := got[unit]; !found || text != "" {
			t.Errorf("%s is not masked", unit)
		}
	}
	if got["c.service.d/"+adaptedDropIn] != "" {
		t.Errorf("got %q", got)
	}
	inContent := planned(t, files, "d")
	for name, want := range map[string]string{
		"r.service.d/mine.conf": "copy of " + etc + "r.service.d/mine.conf", "e.service": "copy of " + etc + "e.service",
		"r.service.wants/e.service": "-> " + etc + "e.service", "r.service.wants/stub.service": "",
		"multi-user.target.wants/r.service": "", "clock.service.d/" + failureDropIn: "",
	} {
		if text := inContent[name]; text != want {
			t.Errorf("%s is %q, want %q", name, text, want)
		}
	}
	root := unitfile.Root(hosttest.Root(t, files))
	notes, err := Notes(root, box("d"), false)
	want := []string{
		"r.service: ConditionVirtualization=!container does not count in a container",
		"r.service: it runs without CAP_SYSLOG, which this container does not have",
		"r.service: its DynamicUser= is the user r of this container",
		"w.service: it runs without CAP_SYSLOG, which this container does not have",
		"w.service: its DynamicUser= is the user w of this container",
		"c.service: d.service wants it, and ConditionVirtualization=!container keeps it from being started in a container, " +
			"unless it is asked for",
		"clock.service: d.service wants it, and it is not started in a container: it sets the clock, by " +
			"Conflicts=systemd-timesyncd.service, which no container can",
		"first.service: d.service wants it, and it is not started in a container: it requires second.service",
	}
	for _, note := range want {
		if !slices.Contains(notes, note) {
			t.Errorf("%q lacks %q", notes, note)
		}
	}
	if err != nil {
		t.Error(err)
	}
	f, err := fitOf(root, box("d"), true)
	if text, isMasked := f.Units["disk.mount"]; !isMasked || text != "" {
		t.Errorf("disk.mount has %q", text)
	}
	if text, isMasked := f.Units["w.service"]; err != nil || !isMasked || text != "" || len(f.Binds) != 1 ||
		f.Units["w.service.d/"+adaptedDropIn] != "" || f.Units["r.service.d/"+mountingDropIn] == "" {
		t.Errorf("where nothing can mount: %+v, %v", f, err)
	}
}

// TestRequiredImpossible: a unit that requires what no container can run is refused, by the name of that.
func TestRequiredImpossible(t *testing.T) {
	for _, c := range []struct{ lines, mount, want string }{
		{lines: "Requires=clock.service", want: "Units d.service requires clock.service: it sets the clock"},
		{lines: "BindsTo=disk.mount", want: "Units d.service requires disk.mount: no unit of this container can mount; a " +
			"mount such as host-bind:/disk=/disk"},
		{lines: "BindsTo=disk.mount", mount: "/disk"},
		{lines: "Requires=skipped.mount var.mount"},
		{lines: "Requires=systemd-udevd.service", want: "Units d.service: no container has systemd-udevd.service, by " +
			"Requires=systemd-udevd.service"},
		{lines: "Wants=systemd-udevd.service clock.service disk.mount"},
		{lines: "Requires=middle.service", want: "Units d.service requires clock.service (by middle.service): it sets " +
			"the clock"},
		{lines: "Requires=nfsd.mount", want: "Units d.service requires nfsd.mount: no unit of this container can mount; " +
			"run it on the host"},
		{lines: "Wants=middle.service"},
		{lines: "Requires=key.service", want: "Units d.service requires key.service: SetCredentialEncrypted= needs the key"},
	} {
		root := unitfile.Root(hosttest.Root(t, map[string]string{
			lib + "d.service":      "[Unit]\n" + c.lines + "\n" + bare,
			lib + "clock.service":  "[Unit]\nConflicts=systemd-timesyncd.service\n" + bare,
			lib + "middle.service": "[Unit]\nRequires=clock.service\n" + bare,
			lib + "key.service":    bare + "SetCredentialEncrypted=a:b\n",
			lib + "nfsd.mount":     "[Mount]\nWhat=nfsd\nWhere=/proc/fs/nfsd\n",
			lib + "disk.mount":     "[Mount]\nWhat=/dev/a\nWhere=/disk\n", lib + "var.mount": "[Mount]\nWhere=/var\n",
			lib + "skipped.mount": "[Unit]\nConditionVirtualization=!container\n[Mount]\nWhere=/skipped\n",
		}))
		s := box("d")
		if c.mount != "" {
			s.Mounts = []config.Mount{{Target: c.mount}}
		}
		_, err := Notes(root, s, false)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.lines, err, c.want)
		}
	}
}

// TestRequisite: a unit that others merely expect to be up boots with them.
func TestRequisite(t *testing.T) {
	got := planned(t, map[string]string{
		lib + "d.service": "[Unit]\nRequisite=q.service\nAfter=q.service\n" + bare, lib + "q.service": bare,
	}, "d")
	if got["multi-user.target.wants/q.service"] != "-> "+lib+"q.service" {
		t.Errorf("got %q", got)
	}
}

// TestWantedBringsNoSecrets: what not everybody may read comes along with a unit that is required, and with none that
// is merely wanted.
func TestWantedBringsNoSecrets(t *testing.T) {
	tree := hosttest.Root(t, map[string]string{
		lib + "d.service": "[Unit]\nRequires=r.service\nWants=w.service h.service\n" + bare, lib + "r.service": bare,
		lib + "w.service": bare, etc + "h.service": bare, etc + "r.service.d/secret.conf": "[Service]\n",
		etc + "w.service.d/secret.conf": "[Service]\n", etc + "w.service.d/open.conf": "[Service]\n",
	})
	hosttest.Close(t, tree, etc+"h.service", etc+"r.service.d/secret.conf", etc+"w.service.d/secret.conf")
	root, s := unitfile.Root(tree), box("d")
	set, err := root.FindAll(s.Units, s.Name, func(err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	var copied []string
	for _, e := range Plan(root, s, set, false) {
		if e.Host != "" {
			copied = append(copied, e.Path)
		}
	}
	if want := []string{"r.service.d/secret.conf", "w.service.d/open.conf"}; !slices.Equal(copied, want) {
		t.Errorf("copied %q, want %q", copied, want)
	}
}
