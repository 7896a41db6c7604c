// SPDX-License-Identifier: Apache-2.0

package apparmor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// host lays out files below a root.
func host(t *testing.T, files map[string]string) Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Root(root)
}

func TestPayloadProfile(t *testing.T) {
	installed := map[string]string{
		abstraction: "", localInclude: "#include <abstractions/virt-sandbox>\n",
		loadedProfiles: "docker-default (enforce)\nmine (complain)\n",
	}
	for _, c := range []struct {
		name, chosen string
		mode         config.SecurityMode
		files        map[string]string
		want, fails  string
	}{
		{name: "libvirt's", files: installed},
		{name: "libvirt's without our rules", files: map[string]string{localInclude: ""}, fails: "run make install-apparmor"},
		{name: "our rules, not included", files: map[string]string{abstraction: ""}, fails: "does not include it"},
		{name: "loaded", chosen: "mine", files: installed, want: "mine"},
		{name: "not loaded", chosen: "min", files: installed, fails: "is not loaded"},
		{name: "its state is no part of its name", chosen: "mine (complain)", files: installed, fails: "is not loaded"},
		{name: "no list to look into", chosen: "mine", want: "mine"},
		{name: "none", chosen: config.AppArmorUnconfined},
		{name: "the caller's", mode: config.SecurityInherit},
	} {
		s := config.New("web")
		s.Security.AppArmor = c.chosen
		if c.mode != "" {
			s.Security.Mode = c.mode
		}
		got, err := host(t, c.files).PayloadProfile(s)
		failed := err != nil && c.fails != "" && strings.Contains(err.Error(), c.fails)
		if got != c.want || (err != nil) != (c.fails != "") || (err != nil && !failed) {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

func TestProfileOf(t *testing.T) {
	for text, want := range map[string]string{
		"libvirt-1 (enforce)\n": "libvirt-1", "unconfined\n": "", "mine (complain)\x00": "mine", "": "",
	} {
		if got := host(t, map[string]string{"/proc/7/attr/apparmor/current": text}).ProfileOf(7); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := host(t, nil).ProfileOf(7); got != "" {
		t.Errorf("of no process: got %q", got)
	}
}

func TestRemove(t *testing.T) {
	const left, other = libvirtProfiles + "/libvirt-1", libvirtProfiles + "/libvirt-2"
	r := host(t, map[string]string{left: "", left + ".files": "", other: ""})
	for _, uuid := range []string{"1", "1", ""} {
		if err := r.Remove(uuid); err != nil {
			t.Errorf("%q: %v", uuid, err)
		}
	}
	entries, err := os.ReadDir(string(r) + libvirtProfiles)
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(other) {
		t.Errorf("left: %v, %v", entries, err)
	}
}
