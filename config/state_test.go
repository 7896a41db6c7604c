// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// split is a store that keeps wishes and states apart.
func split(t *testing.T) Store {
	t.Helper()
	dir := t.TempDir()
	return Store{Dir: filepath.Join(dir, "etc"), States: statefile.Dir(filepath.Join(dir, "states"))}
}

// made is a sandbox as create describes it, with all that is found or allocated.
func made() *Sandbox {
	s := web()
	s.UUID, s.MachineID = "01234567-89ab-4def-8123-456789abcdef", "0123456789abcdef0123456789abcdef"
	s.Created = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	s.Security.Level, s.Hardening.IDMap = "s0:c1,c2", IDMap{Base: 1 << 20, Count: 1 << 16}
	s.Interfaces = []Interface{
		{Source: "default", DHCP: true, MAC: "52:54:00:00:00:01"}, {Bridge: "br0", MAC: "52:54:00:00:00:02"},
	}
	s.Private = []PrivatePath{{"/etc/httpd", "package:httpd"}, {"/srv/mine", OriginAdmin}}
	return s
}

// The config has what was asked for, the state what was found, and both together are what was saved.
func TestWishAndStateApart(t *testing.T) {
	for _, c := range []struct {
		name       string
		given      Given
		inConfig   []string
		notAllowed []string
	}{
		{"nothing was asked for", Given{}, []string{"idmap=auto", "interface=dhcp,source=default\n", "path=admin /srv/mine"},
			[]string{"uuid=", "machine-id=", "created=", "level=", "mac=", "path=package", "content="}},
		{"all that can be", GivenBy(made()), []string{
			"level=s0:c1,c2", "idmap=1048576:65536", "mac=52:54:00:00:00:01", "mac=52:54:00:00:00:02",
		}, []string{"uuid=", "machine-id=", "created=", "path=package"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := split(t)
			if err := store.SaveLike(made(), "# mine\n[sandbox]\nname=old\nformat=1\nuuid=x\n", c.given); err != nil {
				t.Fatal(err)
			}
			text := read(t, store.Path("web"))
			for _, want := range append(c.inConfig, "# mine\n", "format=2\n") {
				if !strings.Contains(text, want) {
					t.Errorf("the config lacks %s:\n%s", want, text)
				}
			}
			for _, never := range c.notAllowed {
				if strings.Contains(text, never) {
					t.Errorf("the config has %s:\n%s", never, text)
				}
			}
			if got, err := store.Load("web"); err != nil || !reflect.DeepEqual(got, made()) {
				t.Errorf("loaded\n%+v, %v\nsaved\n%+v", got, err, made())
			}
			info, err := os.Stat(store.States.Path("web"))
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("the state is %v, %v", info, err)
			}
		})
	}
}

// Keep writes nothing below the directory of configs, and nothing at all where nothing is new.
func TestKeepLeavesTheConfig(t *testing.T) {
	store := split(t)
	config := "[sandbox]\nformat=2\nname=web\nunit=httpd.service\n[network]\ninterface=dhcp\ninterface=bridge=br0\n" +
		"[hardening]\nidmap=auto\n[private]\npath=admin /srv/mine\n"
	elsewhere := filepath.Join(t.TempDir(), "web.sandbox")
	write(t, elsewhere, config)
	if err := os.MkdirAll(store.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, store.Path("web")); err != nil {
		t.Fatal(err)
	}
	if err := store.Keep(made()); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(store.States.Path("web"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.Load("web"); err != nil || !reflect.DeepEqual(got, made()) {
		t.Errorf("loaded\n%+v, %v\nwant\n%+v", got, err, made())
	}
	if err := store.Keep(made()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(store.States.Path("web"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("a state that says the same was written again: %v", err)
	}
	link, err := os.Readlink(store.Path("web"))
	if err != nil || link != elsewhere || read(t, elsewhere) != config {
		t.Errorf("the config has become %s, %v:\n%s", link, err, read(t, elsewhere))
	}
	if got := filesIn(t, store.Dir); !slices.Equal(got, []string{"web.sandbox"}) {
		t.Errorf("beside it lies %q", got)
	}
}

// What a config says wins over what was allocated.
func TestConfigWins(t *testing.T) {
	const head = "[sandbox]\nformat=2\nname=web\nunit=httpd.service\n"
	for _, c := range []struct {
		name, config string
		wrong        func(*Sandbox) bool
	}{
		{"identity", "uuid=aaaaaaaa-89ab-4def-8123-456789abcdef\nmachine-id=" + strings.Repeat("a", 32) +
			"\ncreated=2020-01-01T00:00:00Z\n", func(s *Sandbox) bool {
			return s.UUID[0] != 'a' || s.MachineID[0] != 'a' || s.Created.Year() != 2020
		}},
		{"level", "[security]\nlevel=s0:c7,c8\n", func(s *Sandbox) bool { return s.Security.Level != "s0:c7,c8" }},
		{"label", "[security]\nlabel=system_u:system_r:svirt_t:s0:c7\n",
			func(s *Sandbox) bool { return s.Security.Level != "s0:c7" }},
		{"a level for each start", "image=/i.raw\n[security]\nmode=dynamic\n",
			func(s *Sandbox) bool { return s.Security.Level != "" }},
		{"no ids", "[hardening]\nidmap=none\n", func(s *Sandbox) bool { return !s.Hardening.IDMap.None }},
		{"other ids", "[hardening]\nidmap=2097152:65536\n",
			func(s *Sandbox) bool { return s.Hardening.IDMap.Base != 2097152 }},
		{"ids of the host", "", func(s *Sandbox) bool { return s.Hardening.IDMap != IDMap{} }},
		{"mac", "[network]\ninterface=dhcp,mac=52:54:00:00:00:09\n",
			func(s *Sandbox) bool { return s.Interfaces[0].MAC != "52:54:00:00:00:09" }},
		{"mac of another", "[network]\ninterface=dhcp\ninterface=dhcp,mac=52:54:00:00:00:01\n",
			func(s *Sandbox) bool { return s.Interfaces[0].MAC != "52:54:00:00:00:02" }},
		{"interface before the others", "[network]\ninterface=source=new\ninterface=bridge=br0\ninterface=dhcp\n",
			func(s *Sandbox) bool {
				return s.Interfaces[0].MAC != "" || s.Interfaces[1].MAC != "52:54:00:00:00:02" ||
					s.Interfaces[2].MAC != "52:54:00:00:00:01"
			}},
		{"interface changed", "[network]\ninterface=address=192.0.2.2\n",
			func(s *Sandbox) bool { return s.Interfaces[0].MAC != "52:54:00:00:00:01" }},
		{"interface of another network", "[network]\ninterface=source=a\ninterface=bridge=br0\n",
			func(s *Sandbox) bool { return s.Interfaces[0].MAC != "52:54:00:00:00:01" }},
		{"no interface", "", func(s *Sandbox) bool { return len(s.Interfaces) > 0 }},
		{"private", "[private]\npath=admin /etc/httpd/conf\npath=admin /etc/x\npath=admin /etc/httpd\n",
			func(s *Sandbox) bool {
				return !slices.Equal(s.Private, []PrivatePath{{"/etc/httpd", "package:httpd"}, {"/etc/x", OriginAdmin}})
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := split(t)
			if err := store.Save(made()); err != nil {
				t.Fatal(err)
			}
			write(t, store.Path("web"), head+c.config)
			got, err := store.Load("web")
			if err != nil || c.wrong(got) {
				t.Errorf("loaded %+v, %v", got, err)
			}
		})
	}
}

// A config of format 1 has everything itself, and is whole with and without a state.
func TestFormat1(t *testing.T) {
	store := split(t)
	whole := Store{Dir: store.Dir}
	if err := whole.Save(made()); err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(read(t, store.Path("web")), "format=2", "format=1", 1)
	write(t, store.Path("web"), old)
	for _, keep := range []bool{false, true} {
		got, err := store.Load("web")
		if err != nil || !reflect.DeepEqual(got, made()) {
			t.Fatalf("kept %t: loaded\n%+v, %v\nwant\n%+v", keep, got, err, made())
		}
		if err := store.Keep(got); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.SaveLike(made(), old, Given{}); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Load("web"); err != nil || !reflect.DeepEqual(got, made()) {
		t.Errorf("split: loaded\n%+v, %v\nwant\n%+v", got, err, made())
	}
	if text := read(t, store.Path("web")); strings.Contains(text, "uuid=") || !strings.Contains(text, "format=2\n") {
		t.Errorf("the config is\n%s", text)
	}
}

// A state that was damaged is told of, and never taken for none.
func TestDamagedState(t *testing.T) {
	store := split(t)
	if err := store.Save(made()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"nonsense\n", "[sandbox]\nuuid=x\n", "[sandbox]\nunit=other.service\n"} {
		write(t, store.States.Path("web"), text)
		if got, err := store.Load("web"); err == nil || !strings.Contains(err.Error(), store.States.Path("web")) {
			t.Errorf("%q: loaded %+v, %v", text, got, err)
		}
	}
	write(t, store.States.Path("web"), "[sandbox]\nunit=other.service\n")
	_, err := store.Load("web")
	if want := `"unit" in [sandbox] is not what a state has`; err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Remove removes both, and tells of what is left where it was killed between them.
func TestRemoveState(t *testing.T) {
	store := split(t)
	if err := store.Save(made()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(store.Path("web")); err != nil {
		t.Fatal(err)
	}
	if names, err := store.States.Names(wellformed.IsName); err != nil || !slices.Equal(names, []string{"web"}) {
		t.Errorf("states of %q, %v", names, err)
	}
	if err := store.Remove("web"); err != nil || store.States.Has("web") {
		t.Errorf("the state is still there, %v", err)
	}
	if got := filesIn(t, string(store.States)); len(got) > 0 {
		t.Errorf("left is %q", got)
	}
}

// FuzzState: a state of any content is read or refused, and what is read of it stays when it is written again.
func FuzzState(f *testing.F) {
	f.Add("[sandbox]\nuuid=01234567-89ab-4def-8123-456789abcdef\nstate=deleting\n", "[network]\ninterface=dhcp\n")
	f.Add("[private]\npath=package:a /etc/a\npath=unit:b /etc/a/b\n", "[private]\npath=admin /etc/a/c\n")
	f.Add("[network]\ninterface=dhcp,mac=52:54:00:00:00:01\n", "[network]\ninterface=bridge=b\ninterface=dhcp\n")
	f.Fuzz(func(t *testing.T, state, config string) {
		store := split(t)
		wish, err := Parse("x.sandbox", "[sandbox]\nformat=2\nname=x\nunit=u.service\n"+config)
		if err != nil {
			return
		}
		if err := os.MkdirAll(filepath.Dir(store.States.Path("x")), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, store.States.Path("x"), state)
		whole, err := store.Complete(wish)
		if err != nil {
			return
		}
		if err := store.Keep(whole); err != nil {
			t.Fatal(err)
		}
		if again, err := store.Complete(wish); err != nil || !reflect.DeepEqual(again, whole) {
			t.Errorf("once more\n%+v, %v\nwas\n%+v", again, err, whole)
		}
	})
}
