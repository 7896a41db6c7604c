// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// TestSystemdTwenty: twenty sandboxes of one template are changed by one drop-in, which daemon-reload and a restart
// bring to all of them, and nothing else is written below /etc.
func TestSystemdTwenty(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	template := configDir + "/t-twenty@.sandbox"
	dropIn := template + ".d/10-all.conf"
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("t-twenty@%d", i))
	}
	running := names[:3]
	with := func(verb string, names []string, options ...string) {
		must(t, append(append([]string{verb}, options...), names...)...)
	}
	put(t, template, "[sandbox]\nformat=2\n[command]\nargument=/bin/sleep\nargument=600\n")
	t.Cleanup(func() {
		with("stop", running)
		with("delete", names)
		shell(t, "rm -r "+template+" "+template+".d && systemctl daemon-reload")
	})
	with("create", names, "--template", "t-twenty@")
	with("start", running)
	before := treeOf(t, "/etc")
	put(t, dropIn, "[limits]\nmemory=300M\n[environment]\nSITE=%i of all\n[service]\nOOMScoreAdjust=77\n")
	systemctl(t, "daemon-reload")
	with("restart", running)
	for _, name := range names {
		if got := property(t, "virt-sandbox@"+name+".service", "OOMScoreAdjust"); got != "77" {
			t.Errorf("%s has OOMScoreAdjust=%s", name, got)
		}
	}
	for i, name := range running {
		if got := inside(t, name, "echo $SITE"); got != fmt.Sprintf("%d of all\n", i) {
			t.Errorf("%s is %q", name, got)
		}
	}
	after := treeOf(t, "/etc")
	for _, file := range []string{dropIn, filepath.Dir(dropIn), configDir} {
		delete(after, file)
		delete(before, file)
	}
	for file, is := range after {
		if before[file] != is {
			t.Errorf("%s was %q and is %q", file, before[file], is)
		}
	}
	if len(before) != len(after) {
		t.Errorf("/etc had %d files and has %d", len(before), len(after))
	}
}

// TestSystemdReadOnlyEtc: a sandbox whose config is a link into a directory that cannot be written starts, on a host
// whose /etc cannot be written either, and what was allocated for it is kept.
func TestSystemdReadOnlyEtc(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const unit = "virt-sandbox@t-fixed.service"
	readOnly := func(dir string) {
		t.Helper()
		t.Cleanup(func() { shell(t, "umount "+dir) })
		shell(t, "mount --bind "+dir+" "+dir+" && mount -o remount,bind,ro "+dir)
		if err := os.WriteFile(dir+"/t-file", nil, 0o600); err == nil {
			t.Errorf("%s can be written", dir)
		}
	}
	dir, link := t.TempDir(), configDir+"/t-fixed.sandbox"
	put(t, dir+"/site.conf", "[sandbox]\nformat=2\n[command]\nargument=/bin/sleep\nargument=600\n")
	t.Cleanup(func() { remove(t, "t-fixed") })
	readOnly(dir)
	if err := os.MkdirAll(configDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir+"/site.conf", link); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "daemon-reload")
	readOnly("/etc")
	systemctl(t, "start", unit)
	if got := inside(t, "t-fixed", "hostname"); got != "t-fixed\n" {
		t.Errorf("inside: %q", got)
	}
	state := shell(t, "cat "+stateDir+"/t-fixed/state")
	systemctl(t, "restart", unit)
	if got := shell(t, "cat "+stateDir+"/t-fixed/state"); got != state {
		t.Errorf("the state was\n%s\nand is\n%s", state, got)
	}
	systemctl(t, "stop", unit)
	if target, err := os.Readlink(link); err != nil || target != dir+"/site.conf" {
		t.Errorf("the config is a link to %s, %v", target, err)
	}
}
