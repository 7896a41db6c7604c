// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/dbus"

	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// TestReaderAgreesWithSystemd asks the host's systemd about every unit that the reader of unit files finds there: which
// file it is, which drop-ins it has, which names. A start before the bus is up, and a host that is not running, need
// the reader; that there are not two truths is what this shows.
func TestReaderAgreesWithSystemd(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	const etc, lib, run = "/etc/systemd/system", "/usr/lib/systemd/system", "/run/systemd/system"
	clean := "rm -rf " + etc + "/vsr* " + etc + ".control/vsr* " + etc + ".attached/vsr* " + lib + "/*vsr* " + run +
		"/vsr* /opt/vsr; systemctl daemon-reload"
	shell(t, clean) // of a run that was killed
	t.Cleanup(func() { shell(t, clean) })
	unit, dropIn := "'[Service]\\nExecStart=/bin/true\\n'", "'[Service]\\nNice=1\\n'"
	lines := []string{"mkdir -p /opt/vsr " + etc + ".control " + etc + ".attached " + run}
	for _, file := range []string{
		lib + "/vsr.service", lib + "/vsr-a-b@.service", "/opt/vsr/vsr-linked.service",
		etc + ".attached/vsr-attached.service",
		etc + ".control/vsr-control.service", run + "/vsr-made.service", run + "/vsr.service", lib + "/vsr-masked.service",
	} {
		lines = append(lines, "printf "+unit+" >"+file)
	}
	for link, target := range map[string]string{
		etc + "/vsr-linked.service": "/opt/vsr/vsr-linked.service", etc + "/vsr-alias.service": lib + "/vsr-linked.service",
		etc + "/vsr-other.service": lib + "/vsr-attached.service", lib + "/vsr-again@.service": "vsr-a-b@.service",
		etc + "/vsr-one@x.service": lib + "/vsr-a-b@.service", etc + "/vsr-masked.service": "/dev/null",
	} {
		lines = append(lines, "ln -s "+target+" "+link)
	}
	for _, dir := range []string{
		etc + ".control/vsr.service.d", etc + "/vsr-.service.d", lib + "/vsr-.service.d", etc + "/vsr-a-@.service.d",
		lib + "/vsr-a-b@x.service.d", etc + "/vsr-again@.service.d", etc + ".attached/vsr-attached.service.d",
		lib + "/vsr-alias.service.d",
	} {
		name := strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-")
		lines = append(lines, "mkdir -p "+dir)
		for _, file := range []string{name, "50"} {
			lines = append(lines, "printf "+dropIn+" >"+dir+"/"+file+".conf")
		}
	}
	shell(t, strings.Join(lines, "\n")+"\nsystemctl daemon-reload")

	systemd, err := dbus.NewSystemdConnectionContext(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	root, compared := unitfile.Root(""), 0
	names := append(root.Names(""), "vsr-made.service")
	for _, name := range names {
		u, err := root.Find(name, "x")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen, err := systemd.GetUnitPropertiesContext(context.Background(), u.Name)
		if err != nil {
			t.Fatal(err)
		}
		if seen["LoadState"] == "masked" {
			continue // The reader finds what is masked, on purpose.
		}
		compared++
		file, _ := seen["FragmentPath"].(string)
		if strings.HasPrefix(file, "/run/") != (u.Generated() != "") && name != "vsr.service" {
			t.Errorf("%s: its file is %s for systemd, %q for the reader", name, file, u.Files)
		}
		if !strings.HasPrefix(file, "/run/") && realPath(file) != realPath(u.Files[0]) {
			t.Errorf("%s: its file is %s for systemd, %s for the reader", name, file, u.Files[0])
		}
		dropIns, _ := seen["DropInPaths"].([]string)
		var kept, read []string
		for _, file := range dropIns {
			if !strings.HasPrefix(file, "/run/") { // These go with the next reboot.
				kept = append(kept, realPath(file))
			}
		}
		for _, file := range u.DropIns {
			read = append(read, realPath(file))
		}
		if !slices.Equal(kept, read) {
			t.Errorf("%s: its drop-ins are\n%q for systemd,\n%q for the reader", name, kept, read)
		}
		also, _ := seen["Names"].([]string)
		for _, n := range also {
			if n != u.Name && !slices.Contains(u.Aliases, n) {
				t.Errorf("%s: its names are %q for systemd, %q and %q for the reader", name, also, u.Name, u.Aliases)
			}
		}
	}
	if compared < 20 {
		t.Errorf("%d units were compared, of %q", compared, names)
	}
	for _, name := range []string{
		"vsr", "vsr-alias", "vsr-a-b@x", "vsr-other", "vsr-made", "vsr-masked", "vsr-one@x", "vsr-again@y", "vsr-none",
	} {
		seen, err := systemd.GetUnitPropertiesContext(context.Background(), name+".service")
		if err != nil {
			t.Fatal(err)
		}
		u, err := root.Find(name, "")
		if has := seen["LoadState"] == "loaded" || seen["LoadState"] == "masked"; has != (err == nil) {
			t.Errorf("%s: %s for systemd, %v for the reader", name, seen["LoadState"], err)
		} else if err == nil && seen["Id"] != u.Name {
			t.Errorf("%s: %s for systemd, %s for the reader", name, seen["Id"], u.Name)
		}
	}
}

// realPath returns the file that a path leads to, for one directory may have two names.
func realPath(file string) string {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		return target
	}
	return file
}
