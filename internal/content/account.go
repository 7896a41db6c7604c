package content

import (
	"os"
	"os/user"
	"strconv"
	"strings"
)

// userID looks an account up: on the machine itself wherever it may be kept, below another root in its file.
func (h Host) userID(name string) (id int, found bool) {
	if h.Root != "" {
		return h.listedID("/etc/passwd", name)
	}
	account, err := user.Lookup(name)
	if err != nil {
		return 0, false
	}
	id, err = strconv.Atoi(account.Uid)
	return id, err == nil
}

// groupID looks a group up like userID does.
func (h Host) groupID(name string) (id int, found bool) {
	if h.Root != "" {
		return h.listedID("/etc/group", name)
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	id, err = strconv.Atoi(group.Gid)
	return id, err == nil
}

// listedID reads the number of a name from a file in the form of passwd(5) or group(5).
func (h Host) listedID(file, name string) (id int, found bool) {
	text, err := os.ReadFile(h.Root + file)
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
