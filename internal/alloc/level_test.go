// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// plainHost has any label, with or without SELinux.
type plainHost struct{ selinux bool }

func (h plainHost) SELinux() bool           { return h.selinux }
func (h plainHost) CheckLabel(string) error { return nil }

// book is of a host of its own, whose policy grants the categories given and which runs processes of the contexts
// given.
func book(t *testing.T, granted string, processes ...string) *Book {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"/etc/selinux/config":           "SELINUXTYPE=targeted\n",
		"/etc/selinux/targeted/seusers": "__default__:user_u:s0-" + granted + "\n",
	}
	for i, context := range processes {
		files[fmt.Sprintf("/proc/%d/attr/current", i+1)] = context + "\x00"
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(root+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	warn := func(format string, args ...any) {
		if !strings.HasPrefix(format, "waiting for") {
			t.Errorf(format, args...)
		}
	}
	return &Book{
		Root: root, Locks: lockfile.New(root, warn), Domains: noDomains, Warn: warn,
		Configs: config.Store{Dir: root + "/configs", States: statefile.Dir(root + "/states")},
		Host:    plainHost{selinux: len(processes) > 0},
	}
}

// save writes the config that a create ends with.
func (b *Book) saveFor(t *testing.T, name, level string) {
	t.Helper()
	s := config.New(name)
	s.Units, s.Security.Level = []string{"httpd.service"}, level
	if err := b.Configs.(config.Store).Save(s); err != nil {
		t.Error(err)
	}
}

func noDomains(string) ([]Use, error) { return nil, nil }

func refuse(use Use) error {
	return fmt.Errorf("%s has %s", use.By, use.Level)
}

// allocate reserves a level for a new sandbox.
func (b *Book) allocate(name string, uses ...Use) (string, *lockfile.Lock, error) {
	s := config.New(name)
	withDomains := *b
	withDomains.Domains = func(string) ([]Use, error) { return uses, nil }
	held, err := withDomains.ReserveLevel(context.Background(), s, refuse)
	return s.Security.Level, held, err
}

// TestParallelAllocations: hundreds of creates at once get a level each. Half of them write their config while others
// choose, the other half holds its level only.
func TestParallelAllocations(t *testing.T) {
	creates, granted := 500, "s0:c0.c32" // 528 pairs
	if testing.Short() {
		creates, granted = 50, "s0:c0.c10" // 55 pairs
	}
	b := book(t, granted)
	var wait sync.WaitGroup
	levels, held := make([]string, creates), make([]*lockfile.Lock, creates)
	for i := range creates {
		wait.Go(func() {
			name := fmt.Sprintf("box%d", i)
			var err error
			if levels[i], held[i], err = b.allocate(name); err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if i%2 == 0 {
				b.saveFor(t, name, levels[i])
				held[i].Release()
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	slices.Sort(levels)
	if unique := slices.Compact(slices.Clone(levels)); len(unique) != creates {
		t.Errorf("%d creates got %d levels: %v", creates, len(unique), levels)
	}
	for i := 1; i < creates; i += 2 {
		held[i].Release()
	}
}

// TestRangeIsUsedUp: the last pair goes, then create says why there is none; delete and the end of a create give one
// back.
func TestRangeIsUsedUp(t *testing.T) {
	b := book(t, "s0:c7.c9")
	for _, name := range []string{"one", "two"} {
		level, held, err := b.allocate(name)
		if err != nil {
			t.Fatal(err)
		}
		b.saveFor(t, name, level)
		held.Release()
	}
	level, held, err := b.allocate("three")
	if err != nil {
		t.Fatal(err)
	}
	want := "no free pair of MCS categories is left in c7.c9 (__default__ in /etc/selinux/targeted/seusers); " +
		"delete a sandbox, widen that range, or give a level with Level LEVEL Share"
	if got, _, err := b.allocate("four"); err == nil || err.Error() != want || !errors.Is(err, mcs.ErrExhausted) {
		t.Errorf("got %q, %v; want %s", got, err, want)
	}
	held.Release()
	if got, held, err := b.allocate("four"); err != nil || got != level {
		t.Errorf("after a create failed: got %q, %v; want %s", got, err, level)
	} else {
		b.saveFor(t, "four", got)
		held.Release()
	}
	one, err := b.Configs.Known("one")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Configs.(config.Store).Remove("one"); err != nil {
		t.Fatal(err)
	}
	if got, _, err := b.allocate("five"); err != nil || got != one.Security.Level {
		t.Errorf("after a deletion: got %q, %v; want %s", got, err, one.Security.Level)
	}
}

// TestWhatTakesALevel: of the three pairs of c0, c1 and c2 one is left, whoever has the others.
func TestWhatTakesALevel(t *testing.T) {
	cases := []struct {
		name      string
		processes []string
		domains   []string // levels
		configs   []string // levels
		named     string   // in setrans.conf
	}{
		{name: "sandboxes", configs: []string{"s0:c0,c1", "s0:c1,c2"}},
		{name: "a sandbox with one category", configs: []string{"s0:c1"}},
		{name: "libvirt's domains", domains: []string{"s0:c0,c1", "s0:c1,c2"}},
		{name: "processes", processes: []string{"u:r:svirt_t:s0:c0,c1", "u:r:container_t:s0:c1,c2-s0:c1,c2"}},
		{name: "one of each", processes: []string{"u:r:t:s0:c0,c1"}, domains: []string{"s0:c1,c2,c9"}},
		{name: "names", named: "s0:c1=Payroll\n"},
		{
			name: "beside what takes none",
			processes: []string{"u:r:init_t:s0", "u:r:udev_t:s0-s0:c0.c1023", "u:r:auditd_t:s0:c0.c1023", "docker-default " +
				"(enforce)", ""},
			domains: []string{"s0"}, configs: []string{"s0", "s0:c1", "s0:c5,c6"}, named: "s0=Low\ns0:c0.c1023=High\n",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := book(t, "s0:c0.c2", c.processes...)
			for i, level := range c.configs {
				b.saveFor(t, fmt.Sprintf("box%d", i), level)
			}
			if err := os.WriteFile(b.Root+"/etc/selinux/targeted/setrans.conf", []byte(c.named), 0o644); err != nil {
				t.Fatal(err)
			}
			var uses []Use
			for _, text := range c.domains {
				level, err := mcs.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				uses = append(uses, Use{level, "libvirt domain d"})
			}
			if got, _, err := b.allocate("new", uses...); err != nil || got != "s0:c0,c2" {
				t.Errorf("got %q, %v; want s0:c0,c2", got, err)
			}
		})
	}
}

// TestChosenLevel: one that is not kept apart from another's is found out, whoever has that.
func TestChosenLevel(t *testing.T) {
	cases := []struct{ level, refused string }{
		{"s0:c1,c2", "sandbox pair has s0:c1,c2"},
		{"s0:c1", "sandbox pair has s0:c1,c2"},
		{"s0:c1.c3", "sandbox pair has s0:c1,c2"},
		{"s0:c0.c1023", "sandbox pair has s0:c1,c2"},
		{"s0", "sandbox open has s0"},
		{"s0:c30,c31", "libvirt domain guest has s0:c30"},
		{"s0:c40", "a sandbox that is being created has s0:c40,c41"},
		{"s0:c0", "a sandbox that is being created has s0:c0,c1023"},
		{"s0:c1023", "a sandbox that is being created has s0:c0,c1023"},
		{"s0:c1,c3", ""},
		{"s0:c31,c41", ""},
		{"s0:c900.c1000", ""},
	}
	b := book(t, "s0:c0.c1023", "u:r:t:s0:c900,c901")
	b.saveFor(t, "open", "s0")
	b.saveFor(t, "pair", "s0:c1,c2")
	b.Domains = func(string) ([]Use, error) {
		return []Use{{mcs.Level{}.With(mcs.Run{First: 30, Last: 30}), "libvirt domain guest"}}, nil
	}
	chosen := func(name, level string) (*lockfile.Lock, error) {
		s := config.New(name)
		s.Security.Level = level
		return b.ReserveLevel(context.Background(), s, refuse)
	}
	for _, level := range []string{"s0:c40,c41", "s0:c0,c1023"} {
		held, err := chosen("being-made", level)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Release()
	}
	for _, c := range cases {
		held, err := chosen("new", c.level)
		if c.refused == "" {
			if err != nil {
				t.Errorf("%s: %v", c.level, err)
				continue
			}
			held.Release()
			continue
		}
		if err == nil || err.Error() != c.refused {
			t.Errorf("%s: %v; want %s", c.level, err, c.refused)
		}
	}
	if held, err := chosen("pair", "s0:c1,c2"); err != nil {
		t.Errorf("its own level: %v", err)
	} else {
		held.Release()
	}
}

// TestEqualLevelsAtOnce: of many creates with one level, one gets it.
func TestEqualLevelsAtOnce(t *testing.T) {
	b := book(t, "s0:c0.c1023")
	var wait sync.WaitGroup
	won := make(chan *lockfile.Lock, 50)
	for i := range cap(won) {
		wait.Go(func() {
			s := config.New(fmt.Sprintf("box%d", i))
			s.Security.Level = "s0:c1,c2"
			if held, err := b.ReserveLevel(context.Background(), s, refuse); err == nil {
				won <- held
			}
		})
	}
	wait.Wait()
	if len(won) != 1 {
		t.Errorf("%d creates got the same level", len(won))
	}
	for range len(won) {
		(<-won).Release()
	}
}

func TestLevelsOfDomain(t *testing.T) {
	cases := []struct{ name, labels, want string }{
		{"none", "", ""},
		{"static", `<seclabel type='static' model='selinux' relabel='no'><label>u:r:t:s0:c1,c2</label></seclabel>`,
			"s0:c1,c2"},
		{"plain", `<seclabel type='static' model='selinux' relabel='no'><label>u:r:t:s0</label></seclabel>`, "s0"},
		{"dynamic, defined", `<seclabel type='dynamic' model='selinux' ` +
			`relabel='yes'><baselabel>u:r:t:s0</baselabel></seclabel>`, ""},
		{"dynamic, running", `<seclabel type='dynamic' model='selinux' ` +
			`relabel='yes'><label>u:r:t:s0:c8,c9</label><imagelabel>u:object_r:f:s0:c8,c9</imagelabel><baselabel>u:r:t:s0</bas` +
			`elabel></seclabel>`, "s0:c8,c9"},
		{"base with categories", `<seclabel type='dynamic' model='selinux' ` +
			`relabel='yes'><baselabel>u:r:t:s0:c5</baselabel></seclabel>`, "s0:c5"},
		{"other models", `<seclabel type='dynamic' model='dac' relabel='yes'><label>+107:+107</label></seclabel><seclabel ` +
			`type='static' model='apparmor'><label>libvirt-x</label></seclabel>`, ""},
	}
	for _, c := range cases {
		xml := "<domain type='lxc'><name>guest</name>" + c.labels + "</domain>"
		uses, err := LevelsOfDomain(xml, "other")
		var got []string
		for _, use := range uses {
			got = append(got, use.Level.String())
			if use.By != "libvirt domain guest" {
				t.Errorf("%s: it is said to be of %s", c.name, use.By)
			}
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, %v; want %s", c.name, got, err, c.want)
		}
		if uses, err := LevelsOfDomain(xml, "guest"); err != nil || uses != nil {
			t.Errorf("%s, left out: got %v, %v", c.name, uses, err)
		}
	}
}
