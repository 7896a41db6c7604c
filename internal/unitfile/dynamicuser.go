// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// accountName and maxAccountName are what systemd takes as a name that it may give to a user (systemd.exec(5), User=).
var accountName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]*$`)

const maxAccountName = 31

// DynamicUser returns the name of the user, and of the group, that systemd makes for the time that the unit runs; ok
// is false for a unit that runs as somebody who is there, or that no systemd starts. The names are derived as systemd
// derives them.
func (u *Unit) DynamicUser() (user, group string, ok bool) {
	if !u.Bool("DynamicUser") {
		return "", "", false
	}
	last := func(directive, otherwise string) string {
		if words := u.Words(directive); len(words) > 0 {
			return words[len(words)-1]
		}
		return otherwise
	}
	user = last("User", u.ownAccount())
	group = last("Group", user)
	return user, group, isAccount(user) && isAccount(group)
}

// isAccount reports whether systemd takes text for the name, or the number, of somebody.
func isAccount(text string) bool {
	_, err := strconv.ParseUint(text, 10, 32)
	return err == nil || isAccountName(text)
}

func isAccountName(text string) bool {
	return len(text) <= maxAccountName && accountName.MatchString(text)
}

// ownAccount is a name from that of the unit.
func (u *Unit) ownAccount() string {
	name := strings.TrimSuffix(u.Name, ".service")
	if parsed, err := unitname.Parse(u.Name); err == nil {
		name = parsed.Prefix()
	}
	if isAccountName(name) {
		return name
	}
	hash := fnv.New64a()
	hash.Write([]byte(u.Name))
	return fmt.Sprintf("_du%016x", hash.Sum64())
}

// Accounts returns whom a unit runs as, by name or number: users and groups.
func (u *Unit) Accounts() []string {
	return slices.Concat(u.Words("User"), u.Words("Group"), u.Words("SupplementaryGroups"))
}
