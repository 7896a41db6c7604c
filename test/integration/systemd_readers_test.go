// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Members of one group see with list, status, show and logs how sandboxes are, without root, libvirt and polkit, and no
// secret; others see configs alone; and neither changes anything.
func TestReaders(t *testing.T) {
	rig.On(t, rig.Host)
	rig.Needs(t, rig.Systemd)
	// One that was made before there was the group.
	if _, err := user.LookupGroup("virt-sandbox"); err == nil {
		shell(t, "groupdel virt-sandbox")
	}
	create(t, "t-before", "-C", "-u", "apache2")
	must(t, "start", "t-before")
	shell(t, "systemd-sysusers && systemd-tmpfiles --create /usr/lib/tmpfiles.d/virt-sandbox.conf")
	create(t, "t-seen", "-C", "-u", "apache2")
	create(t, "t-secret", "-C", "-u", "apache2")
	const secret = "geheim1234"
	config := configDir + "/t-secret.sandbox"
	shell(t, "chmod 600 "+config+" && printf '\n[environment]\nTOKEN="+secret+"\n' >>"+config)
	shell(t, "systemctl daemon-reload")
	must(t, "start", "t-seen", "t-secret")
	for _, name := range []string{"t-member", "t-stranger"} {
		shell(t, "useradd --no-create-home "+name)
		t.Cleanup(func() { shell(t, "userdel "+name) })
	}
	readers := groupID(t, "virt-sandbox")
	member := reader{t, accountID(t, "t-member"), []uint32{readers}}
	stranger := reader{t, accountID(t, "t-stranger"), nil}

	for _, name := range []string{"t-before", "t-seen"} {
		o := member.run("list", "--json", name)
		var rows []struct {
			State  string
			Memory *uint64
			Since  *string
		}
		if err := json.Unmarshal([]byte(o.stdout), &rows); err != nil || o.status != 0 || o.stderr != "" ||
			len(rows) != 1 || rows[0].State != "running" || rows[0].Memory == nil || rows[0].Since == nil {
			t.Errorf("list of a member, %s: %+v, %v", name, o, err)
		}
		if o := member.run("status", name); o.status != 0 || o.stderr != "" ||
			!strings.Contains(o.stdout, "State: running since") || !strings.Contains(o.stdout, "Memory:") {
			t.Errorf("status of a member, %s: %+v", name, o)
		}
		if o := member.run("show", name); o.status != 0 ||
			!strings.Contains(o.stdout, "# allocated /var/lib/virt-sandbox/"+name+"/state:") {
			t.Errorf("show of a member, %s: %+v", name, o)
		}
	}
	if o := stranger.run("list", "--json", "t-seen"); o.status != 1 || !strings.Contains(o.stdout, `"state": "unknown"`) ||
		!strings.Contains(o.stderr, "members of the group virt-sandbox") {
		t.Errorf("list of a stranger: %+v", o)
	}
	if o := stranger.run("status", "t-seen"); o.status != 3 ||
		!strings.Contains(o.stderr, "members of the group virt-sandbox") {
		t.Errorf("status of a stranger: %+v", o)
	}
	if o := stranger.run("show", "t-seen"); o.status != 0 || strings.Contains(o.stdout, "/state:") {
		t.Errorf("show of a stranger: %+v", o)
	}

	// What may be a secret is root's.
	for _, who := range []reader{member, stranger} {
		for _, args := range [][]string{
			{"list"}, {"list", "--json"}, {"status", "--all"}, {"status", "t-secret"}, {"show", "t-secret"},
			{"show", "--json", "t-secret"}, {"logs", "t-secret"},
		} {
			if o := who.run(args...); strings.Contains(o.stdout+o.stderr, secret) {
				t.Errorf("%v shows the secret: %+v", args, o)
			}
		}
	}
	if o := member.run("status", "t-secret"); o.status != 0 || !strings.Contains(o.stdout, "State: running") ||
		!strings.Contains(o.stdout, "permission denied") {
		t.Errorf("status of one with a secret: %+v", o)
	}

	// Logs are as far as the host's journal may be read.
	shell(t, "journalctl --sync")
	if o := member.run("logs", "t-seen"); o.status != 1 || !strings.Contains(o.stderr, "systemd-journal") {
		t.Errorf("logs without the group of the journal: %+v", o)
	}
	auditor := reader{t, member.user, []uint32{readers, groupID(t, "systemd-journal")}}
	wait(t, "its words in the host's journal", func() bool {
		o := auditor.run("logs", "t-seen")
		return o.status == 0 && strings.Contains(o.stdout, "Started apache2.service")
	})
	if o := auditor.run("logs", "-u", "no-such", "t-seen"); strings.Contains(o.stdout, "apache2.service") {
		t.Errorf("logs of a unit that is not there: %+v", o)
	}

	for _, args := range [][]string{
		{"stop", "t-seen"}, {"restart", "t-seen"}, {"execute", "t-seen", "--", "true"}, {"delete", "t-seen"},
		{"check", "t-seen"}, {"export", "t-seen", "-"}, {"create", "-u", "apache2", "t-more"}, {"edit", "t-seen"}, {"top"},
	} {
		if o := auditor.run(args...); o.status != 1 || !strings.Contains(o.stderr, "root is needed") {
			t.Errorf("%v: %+v", args, o)
		}
	}
	must(t, "stop", "t-seen")
	if o := member.run("status", "t-seen"); o.status != 3 || o.stderr != "" ||
		!strings.Contains(o.stdout, "State: stopped") {
		t.Errorf("status of one that is down: %+v", o)
	}
}

// reader is a user who is not root.
type reader struct {
	t      *testing.T
	user   uint32
	groups []uint32
}

func (r reader) run(args ...string) outcome {
	r.t.Helper()
	command := exec.Command(program, args...)
	command.Dir, command.Env = "/", append(os.Environ(), "HOME=/nonexistent")
	as := &syscall.Credential{Uid: r.user, Gid: r.user, Groups: r.groups}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return runCommand(r.t, command)
}

func accountID(t *testing.T, name string) uint32 {
	t.Helper()
	found, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return number(t, found.Uid)
}

func groupID(t *testing.T, name string) uint32 {
	t.Helper()
	found, err := user.LookupGroup(name)
	if err != nil {
		t.Fatal(err)
	}
	return number(t, found.Gid)
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(fmt.Errorf("an account: %w", err))
	}
	return uint32(n)
}
