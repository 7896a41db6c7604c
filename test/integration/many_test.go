// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// became is what verbs say of each sandbox with --json, by the keys that scripts use.
type became struct {
	Name, Unit, Config, Content, Level, Error string
	Bytes                                     int64
	Unchanged                                 bool
	Text                                      string
	Settings                                  []struct{ Key, Value, Source string }
}

// reported runs a verb with --json.
func reported(t *testing.T, status int, args ...string) (list []became) {
	t.Helper()
	o := run(t, args...)
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || o.status != status {
		t.Fatalf("%v: %+v, %v", args, o, err)
	}
	return list
}

// Verbs take several sandboxes, and tell scripts what became of each.
func TestSeveral(t *testing.T) {
	rig.On(t, rig.Native)
	both := []string{"t-one", "t-two"}
	with := func(args ...string) []string { return append(args, both...) }
	for _, name := range both {
		t.Cleanup(func() { remove(t, name) })
	}
	before := snapshot(t)
	dry := must(t, "create", "--dry-run", "-u", "apache2", "t-one")
	for _, line := range []string{"\nunit=apache2.service .* # config " + configDir + "/t-one.sandbox:[0-9]+\n",
		"\nuuid= +# allocated when it is made\n", "\npath=.* /etc/apache2 +# allocated\n", "# default\n"} {
		if !regexp.MustCompile(line).MatchString(dry) {
			t.Errorf("create --dry-run has no %q: %s", line, dry)
		}
	}
	if got := must(t, with("create", "--print-config", "-u", "apache2")...); !strings.Contains(got, "\nname=t-one\n") ||
		!strings.Contains(got, "\nname=t-two\n") {
		t.Errorf("create --print-config of two: %s", got)
	}
	list := reported(t, 0, with("create", "--dry-run", "--json", "-u", "apache2")...)
	if len(list) != 2 || list[1].Unit != "apache2@t-two.service" || len(list[1].Settings) < 20 {
		t.Errorf("create --dry-run --json: %+v", list)
	}
	if got := must(t, "create", "--print-config", "-u", "apache2", "t-one"); !strings.Contains(got, "\nunit=apache2.s") ||
		strings.Contains(got, "/etc/apache2\n") || strings.Contains(got, "uuid=") {
		t.Errorf("create --print-config: %s", got)
	}
	sameAs(t, before, "after create --dry-run")
	if list := reported(t, 0, with("delete", "--ignore", "--json")...); len(list) != 2 || !list[0].Unchanged {
		t.Errorf("delete --ignore of none: %+v", list)
	}
	if list := reported(t, 0, with("create", "--json", "-u", "apache2")...); len(list) != 2 || list[1].Name != "t-two" ||
		list[1].Unit != "apache2@t-two.service" || list[1].Config != configDir+"/t-two.sandbox" ||
		list[1].Content != contentDir+"/t-two" || list[1].Level == "" {
		t.Errorf("create: %+v", list)
	}
	if got := must(t, "show", "t-one"); !strings.Contains(got, "# config "+configDir+"/t-one.sandbox:") ||
		!strings.Contains(got, "# allocated "+stateDir+"/t-one/state:") || !strings.Contains(got, "# default\n") {
		t.Errorf("show: %s", got)
	}
	refused(t, run(t, "show", "t-none"), "no such sandbox")
	config := described(t, "t-one")
	if got := must(t, "create", "--if-missing", "t-one", "--", "/bin/true"); got != "t-one exists already\n" ||
		described(t, "t-one") != config {
		t.Errorf("create --if-missing: %q", got)
	}
	refused(t, run(t, "create", "t-one", "--", "/bin/true"), "exists already")
	if got := must(t, "start", "--quiet", "t-one"); got != "" {
		t.Errorf("start --quiet: %q", got)
	}
	if o := run(t, with("status")...); o.status != 3 || strings.Count(o.stdout, "State: ") != 2 {
		t.Errorf("status: %+v", o)
	}
	if got := must(t, "status"); !strings.Contains(got, "1 running") || !strings.Contains(got, "\nt-two ") {
		t.Errorf("overview: %s", got)
	}
	if got := strings.Fields(must(t, "list", "-qr")); !slices.Contains(got, "t-one") || slices.Contains(got, "t-two") {
		t.Errorf("list -qr: %q", got)
	}
	if got := must(t, "list", "--state", "stopped", "t-*"); strings.Contains(got, "t-one") ||
		!strings.Contains(got, "t-two") {
		t.Errorf("list --state stopped: %s", got)
	}
	if list := reported(t, 1, "start", "--json", "t-two", "t-none"); len(list) != 2 || list[0].Error != "" ||
		!strings.Contains(list[1].Error, "no such sandbox") {
		t.Errorf("start: %+v", list)
	}
	for past, args := range map[string][]string{
		"Reloaded": with("reload", "--unit", "apache2"), "Enabled": with("enable", "--now"), "Restarted": with("restart"),
	} {
		if got := must(t, args...); !strings.Contains(got, past+" t-one\n") || !strings.Contains(got, past+" t-two\n") {
			t.Errorf("%v: %q", args, got)
		}
	}
	if got := must(t, "list", "t-two"); !strings.Contains(got, " yes ") {
		t.Errorf("list of one that is enabled: %s", got)
	}
	for _, name := range both {
		inside(t, name, "logger -t t-said that is "+name+"; logger -t t-other more; journalctl --sync")
	}
	if got := must(t, with("logs", "-b", "-o", "cat", "-t", "t-said")...); got != "t-one: that is t-one\nt-two: that is "+
		"t-two\n" {
		t.Errorf("logs of both: %q", got)
	}
	if got := must(t, "logs", "-o", "cat", "-r", "-g", "that is|^more", "t-one"); got != "more\nthat is t-one\n" {
		t.Errorf("logs -r -g: %q", got)
	}
	must(t, with("disable", "--now")...)
	if got := must(t, "list", "-qr"); strings.Contains(got, "t-two") {
		t.Errorf("after disable --now: %q", got)
	}
	list = reported(t, 0, with("delete", "--json")...)
	if len(list) != 2 || list[0].Bytes < 1<<16 {
		t.Errorf("delete: %+v", list)
	}
}

// A config that was put in place by hand is told to have no content yet.
func TestNoContentYet(t *testing.T) {
	rig.On(t, rig.Native)
	file := configDir + "/t-fresh.sandbox"
	t.Cleanup(func() { os.Remove(file) })
	if err := os.WriteFile(file, []byte("[sandbox]\nformat=1\nname=t-fresh\n[command]\nargument=/bin/true\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	const want = "t-fresh has no content yet; its first start makes it\n"
	if o := run(t, "check", "t-fresh"); o.status != 0 || !strings.HasSuffix(o.stderr, want) || o.stdout != "" {
		t.Errorf("check: %+v", o)
	}
	if got := must(t, "upgrade", "--dry-run", "t-fresh"); got != "t-fresh: no content yet; its first start makes it\n" {
		t.Errorf("upgrade --dry-run: %q", got)
	}
	var findings []struct{ Name, Problem, Error string }
	o := run(t, "check", "--json", "t-none")
	if err := json.Unmarshal([]byte(o.stdout), &findings); err != nil || len(findings) != 1 ||
		findings[0].Name != "t-none" ||
		findings[0].Problem != "error" || !strings.Contains(findings[0].Error, "no such sandbox") {
		t.Errorf("check --json of none: %+v, %v", o, err)
	}
}
