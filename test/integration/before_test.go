// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// runBefore runs virt-sandbox-service of the version before, the last one whose configs had what was allocated too.
func runBefore(t *testing.T, args ...string) {
	t.Helper()
	o := runCommand(t, exec.Command("../../bin/before/virt-sandbox-service", args...))
	if o.status != 0 {
		t.Fatalf("the version before: %q: %+v", args, o)
	}
}

// identityOf is what must stay of a sandbox, from its config and its state.
func identityOf(t *testing.T, name string) string {
	t.Helper()
	text := ""
	for _, key := range []string{"uuid", "machine-id", "created", "level"} {
		text += key + "=" + valueOf(t, name, key) + "\n"
	}
	macs := regexp.MustCompile("mac=[0-9a-f:]+").FindAllString(described(t, name), -1)
	slices.Sort(macs)
	return text + fmt.Sprint(slices.Compact(macs))
}

// TestUpgradeOfVersionBefore: ten containers of all kinds that the version before has made and started go on while they
// are upgraded, are the same after a restart, and have lost nothing; their configs are split.
func TestUpgradeOfVersionBefore(t *testing.T) {
	rig.On(t, rig.Before)
	makeNetwork(t, "off")
	dir := t.TempDir()
	disk, shared, archive := dir+"/disk", dir+"/shared", dir+"/archive"
	shell(t, "mkdir "+shared+" && chmod 755 "+dir+" "+shared+" && truncate -s 20M "+disk+" && mkfs.ext4 -q "+disk)
	sleep := []string{"--", "sleep", "infinity"}
	with := func(options []string, end ...string) []string {
		return append(append([]string{"create"}, options...), end...)
	}
	commands := map[string][]string{
		"t-b-dir":     with([]string{"-C", "-u", "apache2"}, "t-b-dir"),
		"t-b-empty":   with([]string{"-u", "apache2"}, "t-b-empty"),
		"t-b-image":   with([]string{"-C", "-u", "apache2", "-i", "100"}, "t-b-image"),
		"t-b-command": append(with(nil, "t-b-command"), sleep...),
		"t-b-dhcp":    append(with([]string{"-N", "dhcp,source=t-net"}, "t-b-dhcp"), sleep...),
		"t-b-fixed":   append(with([]string{"-N", "source=t-net,address=192.168.221.77/24"}, "t-b-fixed"), sleep...),
		"t-b-disk":    append(with([]string{"--disk", "db=" + disk}, "t-b-disk"), sleep...),
		"t-b-mounts": append(with([]string{"-m", "host-bind:/shared=" + shared, "-m", "ram:/ram=1M"}, "t-b-mounts"),
			sleep...),
	}
	names := append(slices.Sorted(maps.Keys(commands)), "t-b-import", "t-b-clone")
	t.Cleanup(func() {
		for _, name := range names {
			remove(t, name)
		}
	})
	for name, args := range commands {
		runBefore(t, args...)
		if !strings.Contains(shell(t, "cat "+configDir+"/"+name+".sandbox"), "\nformat=1\n") {
			t.Fatalf("%s is not of format 1", name)
		}
	}
	runBefore(t, "clone", "t-b-dir", "t-b-clone")
	runBefore(t, "export", "t-b-command", archive)
	runBefore(t, "import", archive, "t-b-import")
	runBefore(t, append([]string{"start"}, names...)...)
	was, first := make(map[string]string), make(map[string]string)
	for _, name := range names {
		inside(t, name, "echo kept >/var/kept")
		was[name], first[name] = identityOf(t, name), boot(t, name)
	}
	// Programs of now find their way in what programs of before have started.
	must(t, append([]string{"status"}, names...)...)
	if list := must(t, "list", "--running", "--quiet"); len(strings.Fields(list)) < len(names) {
		t.Errorf("only these run: %s", list)
	}
	if log := must(t, "logs", "-n", "20", "t-b-dir"); log == "" {
		t.Error("the journal of a container of the version before is empty")
	}
	must(t, "reload", "t-b-dir")
	must(t, "upgrade", "--all")
	for _, name := range names {
		if boot(t, name) != first[name] {
			t.Errorf("%s was restarted", name)
		}
		if text := shell(t, "cat "+configDir+"/"+name+".sandbox"); !strings.Contains(text, "format=2\n") ||
			strings.Contains(text, "machine-id=") {
			t.Errorf("%s was not split: %s", name, text)
		}
	}
	must(t, append([]string{"restart"}, names...)...)
	// And programs of before keep off what those of now have made.
	for _, verb := range []string{"start", "stop", "delete"} {
		o := runCommand(t, exec.Command("../../bin/before/virt-sandbox-service", verb, "t-b-dir"))
		if o.status == 0 || !strings.Contains(o.stderr, "format") {
			t.Errorf("%s of the version before: %+v", verb, o)
		}
	}
	for _, name := range names {
		if got := inside(t, name, "cat /var/kept"); got != "kept\n" || boot(t, name) == first[name] {
			t.Errorf("after a restart %s has %q", name, got)
		}
		if now := identityOf(t, name); now != was[name] {
			t.Errorf("%s was\n%s\nand is\n%s", name, was[name], now)
		}
	}
	for name, script := range map[string]string{
		"t-b-dir":   "curl -s http://localhost/ | grep -q '<html'",
		"t-b-image": "curl -s http://localhost/ | grep -q '<html' && findmnt -n /var",
		"t-b-fixed": "ip addr show dev eth0 | grep -q 192.168.221.77/24",
		"t-b-disk":  "test -b /dev/disk/by-tag/db", "t-b-mounts": "echo x >/shared/file && findmnt -n /ram",
	} {
		inside(t, name, script)
	}
	if _, err := os.Stat(shared + "/file"); err != nil {
		t.Error(err)
	}
	must(t, append([]string{"stop"}, names...)...)
}
