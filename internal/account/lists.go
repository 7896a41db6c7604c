// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// firstOrdinary is the first number of ordinary users where login.defs(5) names none.
const firstOrdinary = 1000

// nobody is the number of the user and the group without rights.
const nobody = 65534

// Lists are accounts of users and groups, as lines of passwd(5) and group(5) without line feeds.
type Lists struct{ Users, Groups []string }

// System returns the accounts of the host below a root that belong to the system and its services, without passwords:
// those with numbers below the ordinary ones', nobody, and those of other names or numbers that are asked for, with
// their groups. Members of groups are only users that are there.
func System(root string, others []string) (*Lists, error) {
	users, err := readList(root+"/etc/passwd", 7)
	if err != nil {
		return nil, err
	}
	groups, err := readList(root+"/etc/group", 4)
	if err != nil {
		return nil, err
	}
	least := loginDefs(root)
	taken, wanted := make(map[string]bool), make(map[string]bool)
	l := &Lists{}
	for _, u := range users {
		if isSystems(u[2], least["UID_MIN"]) || slices.Contains(others, u[0]) || slices.Contains(others, u[2]) {
			taken[u[0]], wanted[u[3]] = true, true
			u[1] = "x"
			l.Users = append(l.Users, strings.Join(u, ":"))
		}
	}
	for _, g := range groups {
		if isSystems(g[2], least["GID_MIN"]) || slices.Contains(others, g[0]) || wanted[g[2]] {
			g[1] = "x"
			g[3] = strings.Join(slices.DeleteFunc(strings.Split(g[3], ","), func(u string) bool { return !taken[u] }), ",")
			l.Groups = append(l.Groups, strings.Join(g, ":"))
		}
	}
	return l, nil
}

// The numbers of users of the moment (systemd.exec(5), DynamicUser=), in a container too: nobody else has them.
const (
	firstDynamic = 61184
	lastDynamic  = 65519
)

// AddDynamic adds a user, and a group, that the host has not: what systemd would make for a service for the time that
// it runs. The number follows from the name, so that files keep their owner. One that is a number, or is there, is not
// added.
func (l *Lists) AddDynamic(user, group string) {
	gid := l.addDynamic(&l.Groups, group, func(id string) string { return group + ":x:" + id + ":" })
	l.addDynamic(&l.Users, user, func(id string) string {
		return strings.Join([]string{user, "x", id, gid, "", "/", "/usr/sbin/nologin"}, ":")
	})
}

// addDynamic adds a line for a name to one of the lists, and returns the number that the name has.
func (l *Lists) addDynamic(list *[]string, name string, line func(id string) string) (id string) {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return name
	}
	taken := make(map[string]bool)
	for _, other := range *list {
		f := strings.Split(other, ":")
		if f[0] == name {
			return f[2]
		}
		taken[f[2]] = true
	}
	hash := fnv.New32a()
	hash.Write([]byte(name))
	const count = lastDynamic - firstDynamic + 1
	for n := range uint32(count) {
		id = strconv.FormatUint(uint64(firstDynamic+(hash.Sum32()+n)%count), 10)
		if !taken[id] {
			break
		}
	}
	*list = append(*list, line(id))
	return id
}

// readList reads the lines of a list that have as many fields as they should, without those that stand for others
// (nsswitch.conf(5), compat). A list that is not there has none.
func readList(file string, fields int) ([][]string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	var list [][]string
	for l := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(l, "\r\n"), ":")
		if len(f) == fields && f[0] != "" && !strings.ContainsAny(f[0][:1], "+-#") {
			list = append(list, f)
		}
	}
	return list, nil
}

func isSystems(number string, least uint64) bool {
	id, err := strconv.ParseUint(number, 10, 32)
	return err == nil && (id < least || id == nobody)
}

// loginDefs reads the first numbers of ordinary users and groups from login.defs(5).
func loginDefs(root string) map[string]uint64 {
	least := map[string]uint64{"UID_MIN": firstOrdinary, "GID_MIN": firstOrdinary}
	data, err := os.ReadFile(root + "/etc/login.defs")
	if err != nil {
		return least
	}
	for l := range strings.Lines(string(data)) {
		words := strings.Fields(l)
		if len(words) < 2 || least[words[0]] == 0 {
			continue
		}
		if id, err := strconv.ParseUint(words[1], 0, 32); err == nil && id > 0 {
			least[words[0]] = id
		}
	}
	return least
}

// Text is the text of a list.
func Text(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// Locked returns the lines of shadow(5) or, for groups, gshadow(5): every account of a list is there, and none has a
// password, so that PAM's account checks work without the host's secrets.
func Locked(list []string, groups bool) []string {
	rest := ":*:19000:0:99999:7:::"
	if groups {
		rest = ":*::"
	}
	var lines []string
	for _, l := range list {
		lines = append(lines, nameOf(l)+rest)
	}
	return lines
}

func nameOf(line string) string {
	name, _, _ := strings.Cut(line, ":")
	return name
}

// Offered is a list of accounts that a container has been given, whatever has become of them in it: lines "user NAME"
// and "group NAME".
type Offered map[string]bool

// ParseOffered reads such a list.
func ParseOffered(text string) Offered {
	o := make(Offered)
	for l := range strings.Lines(text) {
		o[strings.TrimSpace(l)] = true
	}
	return o
}

// Add adds accounts, and returns those that are new.
func (o Offered) Add(l *Lists) *Lists {
	fresh := &Lists{}
	for _, line := range l.Users {
		if key := "user " + nameOf(line); !o[key] {
			o[key], fresh.Users = true, append(fresh.Users, line)
		}
	}
	for _, line := range l.Groups {
		if key := "group " + nameOf(line); !o[key] {
			o[key], fresh.Groups = true, append(fresh.Groups, line)
		}
	}
	return fresh
}

// String is its text.
func (o Offered) String() string {
	var lines []string
	for key := range o {
		lines = append(lines, key)
	}
	slices.Sort(lines)
	return Text(lines)
}

// Complete adds lines to the text of a list that a container may have changed: those whose name it lacks and, with
// numbers, whose number it lacks too.
func Complete(text string, lines []string, numbers bool) string {
	names, ids := make(map[string]bool), make(map[string]bool)
	for l := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(l, "\r\n"), ":")
		names[f[0]] = true
		if len(f) > 2 {
			ids[f[2]] = true
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for _, l := range lines {
		f := strings.Split(l, ":")
		if !names[f[0]] && !(numbers && len(f) > 2 && ids[f[2]]) {
			text += l + "\n"
			names[f[0]] = true
		}
	}
	return text
}
