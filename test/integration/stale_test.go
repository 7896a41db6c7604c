// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// library is a file of a package that a service executes, which each version of the package brings anew.
const library = "/usr/lib/vst-library/libvst.so.1"

// installLibrary installs a version of a package with a library.
func installLibrary(t *testing.T, version int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	writeTree(t, dir, map[string]string{
		"/DEBIAN/control": fmt.Sprintf("Package: vst-library\nVersion: %d\nArchitecture: all\nMaintainer: virt-sandbox "+
			"<root@localhost>\nDescription: a library and who executes it\n", version),
		library: "",
	})
	shell(t, "cp /lib/x86_64-linux-gnu/libz.so.1 "+dir+library+" && chmod -R go-w "+dir+
		" && dpkg-deb -b --root-owner-group "+dir+" "+dir+".deb >/dev/null && DEBIAN_FRONTEND=noninteractive dpkg -i "+dir+
		".deb </dev/null")
}

// makeStale makes sandboxes of a template whose service executes the library, starts them, and upgrades that.
func makeStale(t *testing.T, names ...string) {
	t.Helper()
	const unit = "/usr/lib/systemd/system/vst-library.service"
	t.Cleanup(func() {
		for _, name := range names {
			remove(t, name)
		}
		shell(t, "rm -rf "+configDir+"/t-stale@.sandbox "+configDir+"/t-stale@.sandbox.d "+unit+"; dpkg --purge vst-library")
	})
	installLibrary(t, 1)
	// Of another package. It does not start where there is a file of that name.
	put(t, unit, "[Service]\nType=exec\nEnvironment=LD_PRELOAD="+library+"\n"+
		"ExecStartPre=/usr/bin/test ! -e /var/tmp/broken\nExecStart=/bin/sleep infinity\n")
	put(t, configDir+"/t-stale@.sandbox", "[sandbox]\nformat=2\nunit=vst-library.service\npackage=vst-library\n"+
		"on-failure=ignore\n")
	must(t, append([]string{"create", "--template", "t-stale@"}, names...)...)
	must(t, append([]string{"start"}, names...)...)
	if o := run(t, "needs-restart", "--all"); o.status != 0 || o.stdout+o.stderr != "" {
		t.Errorf("before the upgrade: %+v", o)
	}
	installLibrary(t, 2)
}

// stale returns the sandboxes that need a restart, and sees to it that the library is the reason.
func stale(t *testing.T) (names []string) {
	t.Helper()
	var reports []struct {
		Name      string
		Processes []struct {
			Unit            string
			Files, Packages []string
		}
	}
	o := run(t, "needs-restart", "--all", "--json")
	if err := json.Unmarshal([]byte(o.stdout), &reports); err != nil {
		t.Fatalf("%v: %+v", err, o)
	}
	for _, r := range reports {
		if len(r.Processes) == 0 {
			continue
		}
		names = append(names, r.Name)
		if p := r.Processes[0]; len(r.Processes) != 1 || p.Unit != "vst-library.service" ||
			!slices.Equal(p.Files, []string{library}) || !slices.Equal(p.Packages, []string{"vst-library"}) {
			t.Errorf("%+v", r)
		}
	}
	if (o.status == 1) != (len(names) > 0) {
		t.Errorf("%+v", o)
	}
	return names
}

// A library that is upgraded under twenty running sandboxes has all of them restart their units, some at a time, until
// one does not come back.
func TestUpgradeUnderTwenty(t *testing.T) {
	rig.On(t, rig.Native)
	var names []string
	for n := range 20 {
		names = append(names, fmt.Sprintf("t-stale@%02d", n))
	}
	makeStale(t, names...)
	begun := time.Now()
	if got := stale(t); !slices.Equal(got, names) {
		t.Errorf("stale are %q", got)
	}
	t.Logf("20 were looked at in %v", time.Since(begun))
	if got := must(t, "list"); strings.Count(got, "(needs restart)") != 20 {
		t.Errorf("the list is %s", got)
	}
	first := boot(t, names[0])
	begun = time.Now()
	o := run(t, "needs-restart", "--all", "--restart", "-j", "4")
	if o.status != 0 || strings.Count(o.stderr, "Restarted t-stale@") != 20 || stale(t) != nil {
		t.Errorf("--restart: %+v", o)
	}
	t.Logf("their units were restarted in %v", time.Since(begun))
	if boot(t, names[0]) != first || strings.Contains(must(t, "list"), "needs restart") {
		t.Errorf("a container was restarted, or is still to be: %s", must(t, "list"))
	}

	installLibrary(t, 3)
	put(t, contentDir+"/t-stale@05/var/tmp/broken", "")
	o = run(t, "needs-restart", "--all", "--restart")
	if o.status != 1 || strings.Count(o.stderr, "Restarted t-stale@") != 5 ||
		!strings.Contains(o.stderr, "t-stale@05: ") || !strings.Contains(o.stderr, "no other is restarted") {
		t.Errorf("with one that does not come back: %+v", o)
	}
	if got := stale(t); !slices.Equal(got, names[6:]) {
		t.Errorf("then stale are %q", got)
	}
}

// What auto-restart= says becomes of a sandbox: it is told of once, or restarted in its window, or left alone.
func TestAutoRestart(t *testing.T) {
	rig.On(t, rig.Native)
	names := []string{"t-stale@told", "t-stale@now", "t-stale@later", "t-stale@never"}
	makeStale(t, names...)
	now := time.Now()
	hour := func(after time.Duration) string { return now.Add(after * time.Hour).Format("15:04") }
	for name, text := range map[string]string{
		"now": "auto-restart=yes\nauto-restart-window=" + hour(-1) + "-" + hour(1), "never": "auto-restart=no",
		"later": "auto-restart=yes\nauto-restart-window=" + hour(2) + "-" + hour(3),
	} {
		file := configDir + "/t-stale@" + name + ".sandbox.d/auto.conf"
		put(t, file, "[sandbox]\n"+text+"\n")
		t.Cleanup(func() { os.RemoveAll(filepath.Dir(file)) })
	}
	// A libvirtd that is away is no reason not to try again.
	o := run(t, "-c", "lxc:///?socket=/run/none", "needs-restart", "--auto", "t-stale@now")
	if o.status != 1 || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "connect to libvirt") {
		t.Errorf("without libvirtd: %+v", o)
	}
	o = run(t, "needs-restart", "--auto", "--all")
	if o.status != 0 || !strings.Contains(o.stdout, "t-stale@told:\n") || !strings.Contains(o.stdout, library) ||
		!strings.Contains(o.stdout, "virt-sandbox-service needs-restart --restart t-stale@told\n") ||
		!strings.Contains(o.stdout, "it is restarted in its window, "+hour(2)) || o.stderr != "Restarted t-stale@now\n" ||
		strings.Contains(o.stdout, "never") {
		t.Errorf("%+v", o)
	}
	if o := run(t, "needs-restart", "--auto", "--all"); o.status != 0 || o.stdout+o.stderr != "" {
		t.Errorf("again: %+v", o)
	}
	if got, want := stale(t), []string{"t-stale@later", "t-stale@never", "t-stale@told"}; !slices.Equal(got, want) {
		t.Errorf("stale are %q, want %q", got, want)
	}
	refused(t, run(t, "needs-restart", "--auto", "--restart", "--all"), "goes with neither")
	// One that is paused waits, and so does who comes after one that does not come back, also the next time.
	installLibrary(t, 3)
	must(t, "pause", "t-stale@now")
	o = run(t, "needs-restart", "--auto", "t-stale@now")
	if o.status != 0 || !strings.Contains(o.stdout, "when it goes on") || o.stderr != "" {
		t.Errorf("one that is paused: %+v", o)
	}
	must(t, "resume", "t-stale@now")
	put(t, configDir+"/t-stale@later.sandbox.d/auto.conf", "[sandbox]\nauto-restart=yes\n")
	put(t, contentDir+"/t-stale@later/var/tmp/broken", "")
	o = run(t, "needs-restart", "--auto", "t-stale@later", "t-stale@now")
	if o.status != 1 || !strings.Contains(o.stderr, "no other is restarted") || strings.Contains(o.stderr, "Restarted") ||
		!strings.HasSuffix(o.stderr, "--restart restarts: t-stale@now\n") {
		t.Errorf("with one that does not come back: %+v", o)
	}
	if o := run(t, "needs-restart", "--auto", "t-stale@now"); o.status != 0 || o.stdout+o.stderr != "" {
		t.Errorf("the next time: %+v", o)
	}
	installLibrary(t, 4)
	// Its unit does, as long as only a library is another.
	begun := boot(t, "t-stale@now")
	must(t, "needs-restart", "--restart", "t-stale@now")
	if boot(t, "t-stale@now") != begun {
		t.Error("for a library all was restarted")
	}
	shell(t, "sed -i s/infinity/10000/ /usr/lib/systemd/system/vst-library.service")
	installLibrary(t, 5)
	must(t, "needs-restart", "--restart", "t-stale@now")
	got := inside(t, "t-stale@now", "systemctl show -p ExecStart vst-library")
	if boot(t, "t-stale@now") == begun || !strings.Contains(got, "sleep 10000") {
		t.Errorf("with another file of its unit it runs %s", got)
	}
}

// After an upgrade by apt, the timer that ships has the sandboxes restarted that want it, and the journal tells of the
// others.
func TestSystemdAutoRestart(t *testing.T) {
	rig.On(t, rig.Host, rig.VM)
	rig.Needs(t, rig.Systemd)
	const unit = "virt-sandbox-auto-restart"
	const dropIn = "/run/systemd/system/" + unit + ".timer.d/soon.conf"
	t.Cleanup(func() {
		shell(t, "systemctl stop "+unit+".timer; rm -r "+filepath.Dir(dropIn)+"; systemctl daemon-reload")
	})
	got := shell(t, "systemctl preset "+unit+".timer 2>&1; systemctl is-enabled "+unit+".timer")
	if !strings.HasSuffix(got, "enabled\n") {
		t.Errorf("the preset leaves it %s", got)
	}
	put(t, dropIn, "[Timer]\nOnActiveSec=\nOnActiveSec=3s\nAccuracySec=1s\n")
	put(t, configDir+"/t-stale@now.sandbox.d/auto.conf", "[sandbox]\nauto-restart=yes\n")
	t.Cleanup(func() { os.RemoveAll(configDir + "/t-stale@now.sandbox.d") })
	makeStale(t, "t-stale@now", "t-stale@told")
	systemctl(t, "daemon-reload")
	// A timer that is switched off stays so.
	tree := filepath.Join(t.TempDir(), "none")
	writeTree(t, tree, map[string]string{"/DEBIAN/control": "Package: vst-none\nVersion: 1\nArchitecture: all\n" +
		"Maintainer: virt-sandbox <root@localhost>\nDescription: nothing\n"})
	t.Cleanup(func() { shell(t, "dpkg --purge vst-none") })
	shell(t, "chmod -R go-w "+tree+" && dpkg-deb -b --root-owner-group "+tree+" "+tree+".deb")
	install := "APT_CONFIG=/usr/share/virt-sandbox/hooks/apt.conf DEBIAN_FRONTEND=noninteractive apt-get install -y " +
		"--reinstall --no-install-recommends " + tree + ".deb 2>&1"
	shell(t, install)
	if got := property(t, unit+".timer", "ActiveState"); got != "inactive" {
		t.Errorf("a hook has started the timer: %s", got)
	}
	// Not by needs-restart: what that has told of is not told of again.
	said := ""
	looked := func(times int) (journal string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
			journal = shell(t, "journalctl --sync; journalctl -q --no-pager -o cat -u "+unit+".service")
			if strings.Count(journal, "Finished ") >= times {
				return journal
			}
			if time.Now().After(deadline) {
				t.Fatalf("the timer has nobody look: %s\n%s\n%s", journal, said, shell(t, "systemctl list-timers --all; "+
					"systemctl status "+unit+".timer; true"))
			}
		}
	}
	begun := boot(t, "t-stale@now")
	systemctl(t, "start", unit+".timer")
	journal := looked(1)
	if !strings.Contains(journal, "Restarted t-stale@now\n") || !strings.Contains(journal, "t-stale@told:\n") ||
		!strings.Contains(journal, "needs-restart --restart t-stale@told") {
		t.Errorf("the journal: %s", journal)
	}
	installLibrary(t, 3)
	if said = shell(t, install); strings.Contains(said, "denied") {
		t.Errorf("apt's hooks are not allowed all that they do: %s", said)
	}
	if journal = looked(2); strings.Count(journal, "Restarted t-stale@now\n") != 2 {
		t.Errorf("after the hook: %s", journal)
	}
	if got := stale(t); !slices.Equal(got, []string{"t-stale@told"}) || boot(t, "t-stale@now") != begun {
		t.Errorf("stale are %q", got)
	}
}

// Making, enabling and changing the unit of a sandbox makes no other an old one.
func TestOthersMakeNoneStale(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	create(t, "t-others", "-u", "apache2")
	must(t, "start", "t-others")
	create(t, "t-others2", "-u", "apache2")
	must(t, "enable", "t-others2")
	shell(t, "mkdir /etc/systemd/system/apache2@t-others2.service.d && "+
		"printf '[Service]\nNice=5\n' >/etc/systemd/system/apache2@t-others2.service.d/nice.conf")
	if o := run(t, "needs-restart", "t-others"); o.status != 0 {
		t.Errorf("%+v", o)
	}
	if d, _ := statusOf(t, "t-others", 0); d.EtcIsOld {
		t.Errorf("status: %+v", d)
	}
	inside(t, "t-others", "! ls -d /etc/systemd/system/*t-others2*")
	must(t, "disable", "t-others2")
}

// One that needs a restart and is stopped while others get theirs stays down.
func TestStoppedWhileOthersRestart(t *testing.T) {
	rig.On(t, rig.Native)
	for _, name := range []string{"t-old1", "t-old2"} {
		create(t, name, "-C", "-u", "apache2")
		must(t, "start", name)
		edit(t, name, "start-timeout=5m0s", "start-timeout=6m0s")
	}
	restarted := make(chan outcome)
	go func() { restarted <- run(t, "needs-restart", "--restart", "-j", "1", "t-old1", "t-old2") }()
	awaitMoment(t, "the restart of the first", func() bool {
		return says("/run/virt-sandbox/t-old1/state.json", `"phase":"stopping"`)
	})
	must(t, "stop", "t-old2")
	o := <-restarted
	if o.status != 0 || !strings.Contains(o.stderr, "Restarted t-old1\n") ||
		!strings.Contains(o.stderr, "t-old2: another command has restarted or stopped it meanwhile") {
		t.Errorf("needs-restart: %+v", o)
	}
	if out := must(t, "list"); strings.Count(out, "running") != 1 || strings.Count(out, "stopped") != 1 {
		t.Errorf("afterwards:\n%s", out)
	}
}
