// SPDX-License-Identifier: Apache-2.0

// Package account looks up the numbers of users and groups, of this machine or below another root directory. In: names;
// out: numbers. Planning and making content call it.
package account

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// UserID looks an account up: on the machine itself (root "") wherever it may be kept, below another root in its file.
func UserID(root, name string) (id int, found bool) {
	if root != "" {
		return listedID(root+"/etc/passwd", name)
	}
	account, err := user.Lookup(name)
	if err != nil {
		return 0, false
	}
	id, err = strconv.Atoi(account.Uid)
	return id, err == nil
}

// GroupID looks a group up like UserID does.
func GroupID(root, name string) (id int, found bool) {
	if root != "" {
		return listedID(root+"/etc/group", name)
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	id, err = strconv.Atoi(group.Gid)
	return id, err == nil
}

// Groups returns the numbers of the groups that an account of this machine is in.
func Groups(of *user.User) ([]uint32, error) {
	texts, err := of.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("read groups of %s: %w", of.Username, err)
	}
	var groups []uint32
	for _, text := range texts {
		if id, err := strconv.ParseUint(text, 10, 32); err == nil {
			groups = append(groups, uint32(id))
		}
	}
	return groups, nil
}

// listedID reads the number of a name from a file in the form of passwd(5) or group(5).
func listedID(file, name string) (id int, found bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for l := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimSpace(l), ":"); len(fields) > 2 && fields[0] == name {
			id, err := strconv.Atoi(fields[2])
			return id, err == nil
		}
	}
	return 0, false
}
