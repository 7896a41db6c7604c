// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

const users = "root:$6$hash:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/bin/false\n" +
	"alice:x:1000:1000::/:/bin/sh\napp:x:1001:1001::/srv:/bin/false\nnobody:x:65534:65534::/:/bin/false\n" +
	"+@nis:*:::::\nshort:x:5\n#x:x:4:4::/:/\n"

const groups = "root:x:0:\nwww-data:secret:33:alice,app,root\nalice:x:1000:\napp:x:1001:\nmedia:x:1005:alice\n" +
	"nogroup:x:65534:\n"

// TestSystem: services have their accounts, people and their passwords stay outside.
func TestSystem(t *testing.T) {
	cases := []struct {
		name   string
		tree   map[string]string
		others []string
		users  string // their names
		groups string // the lines
	}{
		{"ordinary", nil, nil, "root www-data nobody", "root:x:0: www-data:x:33:root nogroup:x:65534:"},
		{"named", nil, []string{"app"}, "root www-data app nobody",
			"root:x:0: www-data:x:33:app,root app:x:1001: nogroup:x:65534:"},
		{"by number", nil, []string{"1000"}, "root www-data alice nobody",
			"root:x:0: www-data:x:33:alice,root alice:x:1000: nogroup:x:65534:"},
		{"named group", nil, []string{"media"}, "root www-data nobody",
			"root:x:0: www-data:x:33:root media:x:1005: nogroup:x:65534:"},
		{"other first numbers",
			map[string]string{"/etc/login.defs": "# UID_MIN 7\nUID_MIN\t\t 1001\nGID_MIN 34 # x\nUID_MAX 9\n"}, nil,
			"root www-data alice nobody", "root:x:0: www-data:x:33:alice,root alice:x:1000: nogroup:x:65534:"},
		{"no lists", map[string]string{"/etc/passwd": "", "/etc/group": ""}, nil, "", ""},
	}
	for _, c := range cases {
		tree := map[string]string{"/etc/passwd": users, "/etc/group": groups}
		for p, text := range c.tree {
			tree[p] = text
		}
		l, err := System(hosttest.Root(t, tree), c.others)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, line := range l.Users {
			names = append(names, nameOf(line))
			if fields := strings.Split(line, ":"); fields[1] != "x" {
				t.Errorf("%s: %s has a password", c.name, line)
			}
		}
		if got := strings.Join(names, " "); got != c.users {
			t.Errorf("%s: users %q, want %q", c.name, got, c.users)
		}
		if got := strings.Join(l.Groups, " "); got != c.groups {
			t.Errorf("%s: groups %q, want %q", c.name, got, c.groups)
		}
	}
	if l, err := System(t.TempDir(), nil); err != nil || len(l.Users)+len(l.Groups) > 0 {
		t.Errorf("without lists: %v, %v", l, err)
	}
}

// TestOffered: an account is given once; who removes it inside does not get it again.
func TestOffered(t *testing.T) {
	o := ParseOffered("user root\ngroup root\n")
	l := &Lists{Users: []string{"root:x:0:0::/:/", "new:x:7:7::/:/"}, Groups: []string{"new:x:7:"}}
	fresh := o.Add(l)
	if !slices.Equal(fresh.Users, []string{"new:x:7:7::/:/"}) || !slices.Equal(fresh.Groups, []string{"new:x:7:"}) {
		t.Errorf("new are %+v", fresh)
	}
	if again := ParseOffered(o.String()).Add(l); len(again.Users)+len(again.Groups) > 0 {
		t.Errorf("new again are %+v", again)
	}
}

func TestComplete(t *testing.T) {
	cases := []struct{ text, lines, want string }{
		{"", "a:x:1:", "a:x:1:\n"},
		{"a:x:1:\n", "a:x:2: b:x:1: c:x:3:", "a:x:1:\nc:x:3:\n"},
		{"a:x:1:", "b:x:2:", "a:x:1:\nb:x:2:\n"},
		{"::::\nb\n", "b:x:2:", "::::\nb\n"},
	}
	for _, c := range cases {
		if got := Complete(c.text, strings.Fields(c.lines), true); got != c.want {
			t.Errorf("%q and %q: got %q, want %q", c.text, c.lines, got, c.want)
		}
	}
	if got := Complete("a:*:19000:::::\n", []string{"b:*:19000:::::"}, false); got != "a:*:19000:::::\nb:*:19000:::::\n" {
		t.Errorf("without numbers: %q", got)
	}
}

func TestLocked(t *testing.T) {
	list := []string{"a:x:1:", "b:x:2:"}
	if got := Text(Locked(list, true)); got != "a:*::\nb:*::\n" {
		t.Errorf("got %q", got)
	}
	if got := Text(Locked(list[:1], false)); got != "a:*:19000:0:99999:7:::\n" {
		t.Errorf("got %q", got)
	}
}

// FuzzComplete: what root in the container wrote stays, and nothing has its own name twice.
func FuzzComplete(f *testing.F) {
	f.Add("a:x:1:\n", "b:x:2:")
	f.Add(":", "a")
	f.Fuzz(func(t *testing.T, text, line string) {
		if strings.ContainsAny(line, "\r\n") {
			return
		}
		got := Complete(text, []string{line, line}, true)
		if !strings.HasPrefix(got, text) || len(got) > len(text)+len(line)+2 {
			t.Errorf("%q and %q: got %q", text, line, got)
		}
	})
}

func TestAddDynamic(t *testing.T) {
	l := &Lists{Users: []string{"root:x:0:0::/:/bin/sh", "old:x:7:8::/:/bin/sh"}, Groups: []string{"media:x:50:"}}
	l.AddDynamic("svc", "svc")
	l.AddDynamic("svc", "media")
	l.AddDynamic("old", "old")
	l.AddDynamic("other", "media")
	l.AddDynamic("65000", "65000")
	number := func(line string) string { return strings.Split(line, ":")[2] }
	if len(l.Users) != 4 || len(l.Groups) != 3 {
		t.Fatalf("got %q", l)
	}
	id, _ := strconv.Atoi(number(l.Users[2]))
	if id < firstDynamic || id > lastDynamic || l.Users[2] != fmt.Sprintf("svc:x:%d:%d::/:/usr/sbin/nologin", id, id) ||
		l.Groups[1] != fmt.Sprintf("svc:x:%d:", id) {
		t.Errorf("got %q", l)
	}
	if !strings.HasPrefix(l.Groups[2], "old:x:6") || !strings.HasSuffix(l.Users[3], ":50::/:/usr/sbin/nologin") {
		t.Errorf("got %q", l)
	}
	// Names share a number nowhere, and have the same one again.
	all := &Lists{}
	for range 2 {
		for n := range 300 {
			all.AddDynamic(fmt.Sprint("a", n), fmt.Sprint("a", n))
		}
	}
	seen := make(map[string]bool)
	for _, line := range all.Users {
		seen[number(line)] = true
	}
	if len(all.Users) != 300 || len(all.Groups) != 300 || len(seen) != 300 {
		t.Errorf("%d users with %d numbers, %d groups", len(all.Users), len(seen), len(all.Groups))
	}
}
