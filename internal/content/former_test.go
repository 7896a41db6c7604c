// SPDX-License-Identifier: Apache-2.0

package content

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestFormer: a start takes away the drop-ins that earlier versions put into content, where they are as they were put.
// One that was changed inside goes on to count, in place of what the start puts below /run.
func TestFormer(t *testing.T) {
	const etc, lib = "/" + SystemDir + "/", "/usr/lib/systemd/system/"
	h := newHost(t, map[string]string{
		unitFile: "[Unit]\nRequires=pulled.service\n" + bareUnit, lib + "e.service": bareUnit, lib + "f.service": bareUnit,
		lib + "pulled.service": bareUnit, lib + "t.service": bareUnit, lib + "t.timer": "[Timer]\n",
	})
	s := box(t)
	s.Command, s.Units = nil, []string{"d.service", "e.service", "f.service", "t.timer"}
	prepare(t, h, s)
	put := func(name, text string) {
		t.Helper()
		hosttest.Put(t, s.Content, etc+name, text)
		tree, err := os.OpenRoot(s.Content)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		entry := filestate.Entry{
			Path: etc + name, Type: "file", Digest: digestOfText(text), Size: int64(len(text)), Origin: "sandbox",
		}
		if err := filestate.WriteManifest(tree, []filestate.Entry{entry}); err != nil {
			t.Fatal(err)
		}
	}
	const old = "/90-virt-sandbox.conf"
	for _, unit := range []string{"d.service", "e.service", "f.service", "t.service", "pulled.service"} {
		put(unit+".d"+old, "[Service]\nUser="+unit+"\n")
	}
	put("service.d/80-virt-sandbox-users.conf", "[Service]\nPrivateUsers=no\n")
	edit(t, s, etc+"e.service.d"+old, "[Service]\nUser=mine\n")
	edit(t, s, etc+"f.service.d"+old, "-> /dev/null")
	hosttest.Put(t, s.Content, etc+"t.service.d/local.conf", "[Service]\n")
	for range 2 {
		prepare(t, h, s)
		const name = "/zz-virt-sandbox-adapted.conf"
		for file, want := range map[string]string{
			"d.service.d" + old: "none", "e.service.d" + old: "none", "f.service.d" + old: "none", "t.service.d" + old: "none",
			"pulled.service.d" + old: "none", "service.d/80-virt-sandbox-users.conf": "none",
			"d.service.d" + name: "none", "e.service.d" + name: "[Service]\nUser=mine\n", "f.service.d" + name: "-> /dev/null",
			"t.service.d" + name: "none", "t.service.d/local.conf": "[Service]\n",
			"d.service.d/81-virt-sandbox-failed.conf": "[Unit]\nOnFailure=virt-sandbox-failed@%n.service\n",
		} {
			if got := hosttest.Reads(t, s.Content, etc+file); got != want {
				t.Errorf("%s is %q, want %q", file, got, want)
			}
		}
		if _, err := os.Lstat(s.Content + etc + "pulled.service.d"); err == nil {
			t.Error("an empty directory of drop-ins stays")
		}
	}
	entries, err := filestate.ReadManifest(s.Content)
	if err != nil || slices.ContainsFunc(entries, func(e filestate.Entry) bool {
		return strings.HasSuffix(e.Path, old) || strings.Contains(e.Path, "80-virt") || strings.Contains(e.Path, "pulled")
	}) {
		t.Errorf("the manifest has %v, %v", entries, err)
	}
	if changes, err := h.Renew(s, false); err != nil || len(changes) > 0 {
		t.Errorf("an upgrade says %v, %v", changes, err)
	}
}

// TestEnabledUnits: links by which the host's administrator has a unit pull in another are made with it, and one that
// is removed inside does not come back.
func TestEnabledUnits(t *testing.T) {
	const etc = "/" + SystemDir + "/"
	h := newHost(t, map[string]string{
		unitFile: bareUnit, "/usr/lib/systemd/system/e@.service": bareUnit,
		etc + "d.service.wants/e@one.service": "-> /usr/lib/systemd/system/e@.service",
	})
	s := box(t)
	s.Command, s.Units = nil, []string{"d.service"}
	prepare(t, h, s)
	const link = etc + "d.service.wants/e@one.service"
	if got := hosttest.Reads(t, s.Content, link); got != "-> /usr/lib/systemd/system/e@.service" {
		t.Errorf("the link is %q", got)
	}
	edit(t, s, link, "gone")
	h.put(etc+"d.service.wants/e@two.service", "-> /usr/lib/systemd/system/e@.service")
	prepare(t, h, s)
	if one, two := hosttest.Reads(t, s.Content, link), hosttest.Reads(t, s.Content, etc+
		"d.service.wants/e@two.service"); one != "none" || two == "none" {
		t.Errorf("after it was removed inside it is %q, and another is %q", one, two)
	}
}
