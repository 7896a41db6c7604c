// SPDX-License-Identifier: Apache-2.0

package account

import (
	"os"
	"os/user"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// An account has the group that it has in passwd(5), and those that list it in group(5).
func TestGroups(t *testing.T) {
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	groups, err := Groups(self)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(groups, uint32(os.Getgid())) {
		t.Errorf("%s is in %v", self.Username, groups)
	}
}

// TestAccounts: the machine's own lie where its name service has them, those of another root in its files.
func TestAccounts(t *testing.T) {
	fake := hosttest.Root(t, map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\ndaemon:x:17:18::/:/bin/false\nshort:x\nodd:x:many:1::/:/\n",
		"/etc/group":  "root:x:0:\ndaemon:x:18:\n",
	})
	cases := []struct {
		name       string
		root       string
		account    string
		user       int
		group      int
		exist      bool
		groupExist bool
	}{
		{"of the machine", "", "root", 0, 0, true, true},
		{"not of the machine", "", "no such account", 0, 0, false, false},
		{"of the root", fake, "daemon", 17, 18, true, true},
		{"not of the root", fake, "svc", 0, 0, false, false},
		{"line that is too short", fake, "short", 0, 0, false, false},
		{"no number", fake, "odd", 0, 0, false, false},
		{"root without files", t.TempDir(), "root", 0, 0, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if id, exist := UserID(c.root, c.account); id != c.user || exist != c.exist {
				t.Errorf("user %s: got %d, %t; want %d, %t", c.account, id, exist, c.user, c.exist)
			}
			if id, exist := GroupID(c.root, c.account); id != c.group || exist != c.groupExist {
				t.Errorf("group %s: got %d, %t; want %d, %t", c.account, id, exist, c.group, c.groupExist)
			}
		})
	}
}
