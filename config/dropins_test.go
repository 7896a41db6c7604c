// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// placesWith makes a store with three directories, etc, run and usr, and files in them.
func placesWith(t testing.TB, files map[string]string) Store {
	t.Helper()
	top := t.TempDir()
	s := Store{Dir: top + "/etc", Lower: [2]string{top + "/run", top + "/usr"}, States: statefile.Dir(top + "/states")}
	for file, text := range files {
		file = filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		target, isLink := strings.CutPrefix(text, "-> ")
		err := os.WriteFile(file, []byte(text), 0o600)
		if isLink {
			os.Remove(file)
			err = os.Symlink(target, file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

const template = "[sandbox]\nformat=2\nname=%n\nunit=web@%i.service\ncontent=/srv/%p/%I\n[command]\n[mounts]\n" +
	"host-show=/data=/srv/data/%i\n[network]\ninterface=address=10.0.0.5/24%10.0.0.255,route=::/0%fe80::1\n" +
	"[service]\nExecStartPre=/bin/echo %i\n[environment]\nPERCENT=100%%\n"

// TestTemplate: an instance is what its template says, with its own name put in, and what drop-ins add and change.
func TestTemplate(t *testing.T) {
	store := placesWith(t, map[string]string{
		"usr/web@.sandbox":                     template,
		"etc/web@a-b.sandbox":                  "-> /usr/lib/web@.sandbox",
		"etc/web@c.sandbox":                    "-> web@.sandbox",
		"etc/sandbox.d/10-all.conf":            "[limits]\nmemory=1G\npids=77\n[hardening]\ncapabilities=all\n",
		"etc/web@.sandbox.d/50-these.conf":     "[limits]\nmemory=2G\n[mounts]\nhost-show=/more=/srv/%n\n",
		"etc/web@c.sandbox.d/override.conf":    "[mounts]\nhost-show=\nhost-show=/only=/srv/x\n[limits]\npids=\n",
		"run/sandbox.d/20-env.conf":            "[environment]\nWHO=%n\nPERCENT=\n[service]\nNice=%\n",
		"usr/web@.sandbox.d/20-env.conf":       "colour\n",
		"etc/web@.sandbox.d/20-env.conf":       "-> /dev/null",
		"etc/web@c.sandbox.d/20-env.conf":      "[environment]\nWHO=%n\nPERCENT=\n[service]\nNice=%\n",
		"etc/web@c.sandbox.d/99-not-this.conf": "-> /dev/null",
	})
	a, err := store.Load("web@a-b")
	if err != nil {
		t.Fatal(err)
	}
	c, err := store.Load("web@c")
	if err != nil {
		t.Fatal(err)
	}
	show := func(target, source string) Mount { return Mount{Kind: MountHostShow, Target: target, Source: source} }
	for _, pair := range []struct{ got, want any }{
		{a.Name, "web@a-b"}, {a.Units, []string{"web@a-b.service"}}, {a.Content, "/srv/web/a/b"},
		{a.HostUnit(), "web@web@a-b.service"}, {a.Limits.Memory, Size(2 << 30)}, {a.Limits.PIDs, uint32(77)},
		{a.Mounts, []Mount{show("/data", "/srv/data/a-b"), show("/more", "/srv/web@a-b")}},
		{a.Interfaces[0].String(), "source=default,address=10.0.0.5/24%10.0.0.255,route=::/0%fe80::1"},
		{a.Service, []Directive{{"ExecStartPre", "/bin/echo %i"}}}, {a.Hardening.Capabilities.String(), "all"},
		{a.Environment, []Variable{{"PERCENT", "100%"}}},
		{c.Mounts, []Mount{show("/only", "/srv/x")}}, {c.Limits.PIDs, New("").Limits.PIDs},
		{c.Environment, []Variable{{"WHO", "web@c"}, {"PERCENT", ""}}},
		{c.Service, []Directive{{"ExecStartPre", "/bin/echo %i"}, {"Nice", "%"}}},
	} {
		if !reflect.DeepEqual(pair.got, pair.want) {
			t.Errorf("got %+v, want %+v", pair.got, pair.want)
		}
	}
	names, err := store.Names()
	if got := strings.Join(names, " "); got != "web@a-b web@c" || err != nil {
		t.Errorf("names %s, %v", got, err)
	}
}

// TestMistakesOfAll: all mistakes of a config and of its drop-ins are told, each with the file and line that has it.
func TestMistakesOfAll(t *testing.T) {
	store := placesWith(t, map[string]string{
		"etc/web.sandbox":          "[sandbox]\nformat=2\nunit=httpd.service\nunti=x\n[command]\nargument=%Y\n",
		"usr/sandbox.d/a.conf":     "[limit]\npids=1\n[limits]\npids=0\npids=3\n",
		"run/web.sandbox.d/b.conf": "[sandbox]\nname=other\nunit=a/b\n[network]\ninterface=source=%z\n",
	})
	_, err := store.Load("web")
	var syntax *SyntaxError
	if !errors.As(err, &syntax) {
		t.Fatal(err)
	}
	var got []string
	for _, mistake := range syntax.All() {
		got = append(got, strings.TrimPrefix(mistake.File, filepath.Dir(store.Dir)+"/")+": "+mistake.Reason())
	}
	want := []string{
		`etc/web.sandbox: line 4: unknown key "unti" in [sandbox]; did you mean "unit"?`,
		`etc/web.sandbox: line 6: "%Y" is not known; known are %i, %I, %j, %n, %p and %H, and %% is a percent sign`,
		`usr/sandbox.d/a.conf: line 1: unknown section [limit]; did you mean [limits]?`,
		`usr/sandbox.d/a.conf: line 4: "0" is not a number of processes from 1 to 4194304, or none`,
		`usr/sandbox.d/a.conf: line 5: "pids" in [limits] is given twice; it takes one value`,
		`run/web.sandbox.d/b.conf: line 2: name "other" differs from the file's name; rename one of them`,
		`run/web.sandbox.d/b.conf: line 3: "a/b" is not a unit name such as httpd.service`,
		`run/web.sandbox.d/b.conf: line 5: "%z" is not known; known are %i, %I, %j, %n, %p and %H, and %% is a percent sign`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(err.Error(), "web.sandbox:4: unknown key") || !strings.Contains(err.Error(), "; line 6: ") ||
		!strings.Contains(err.Error(), "; "+filepath.Dir(store.Dir)+"/usr/sandbox.d/a.conf:1: ") {
		t.Error(err)
	}
}

// TestExpandedIsChecked: what a name puts into a value is checked as if somebody had written it.
func TestExpandedIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"content=/srv/%I\n":      "",
		"content=%I\n":           `"a/-b" must be an absolute path`,
		"content=/usr/%i\n":      "content \"/usr/a--b\" must be a directory of its own",
		"machine-id=%i\n":        `"a--b" is not a machine ID`,
		"content=/srv/%i/../x\n": "must be an absolute path",
	} {
		name := "web@a--b"
		if text == "content=/srv/%I\n" {
			// Of two dashes, two slashes would come.
			name = "web@a-b"
		}
		store := placesWith(t, map[string]string{
			"etc/web@.sandbox":         "[sandbox]\nformat=2\nunit=httpd.service\n" + text,
			"etc/" + name + ".sandbox": "-> web@.sandbox"})
		_, err := store.Load(name)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), "web@.sandbox:4: ")) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestPercentOfFormat1 stands for itself, and is written so that it does again.
func TestPercentOfFormat1(t *testing.T) {
	store := placesWith(t, map[string]string{"etc/job.sandbox": "[sandbox]\nformat=1\nname=job\n[command]\n" +
		"argument=/bin/date\nargument=+%Y%%\n[environment]\nA=%i\n"})
	s, err := store.Load("job")
	if err != nil || s.Command[1] != "+%Y%%" || s.Environment[0].Value != "%i" {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := store.Save(s); err != nil {
		t.Fatal(err)
	}
	text, err := store.Read("job")
	if err != nil || !strings.Contains(text, "argument=+%%Y%%%%\n") || !strings.Contains(text, "A=%%i\n") {
		t.Errorf("%s, %v", text, err)
	}
	if again, err := store.Load("job"); err != nil || !reflect.DeepEqual(again.Command, s.Command) {
		t.Errorf("%+v, %v", again, err)
	}
	record := Store{Dir: t.TempDir(), IsRecord: true}
	if err := record.Save(s); err != nil {
		t.Fatal(err)
	}
	if again, err := record.Load("job"); err != nil || !reflect.DeepEqual(again.Command, s.Command) {
		t.Errorf("recorded: %+v, %v", again, err)
	}
}

// TestSaveBesideDropIns: what is written is the same sandbox with the drop-ins that are there, and does not say what
// they add.
func TestSaveBesideDropIns(t *testing.T) {
	store := placesWith(t, map[string]string{
		"etc/web.sandbox":           "# mine\n[sandbox]\nformat=2\nunit=httpd.service\n[limits]\npids=5\nmemory=1M\n",
		"etc/sandbox.d/a.conf":      "[limits]\nmemory=1G\n[mounts]\nram=/a=1M\nram=/b=1M\n[environment]\nA=1\n",
		"usr/web.sandbox.d/50.conf": "[sandbox]\npackage=\npackage=apache2\n[service]\nNice=1\n",
	})
	s, err := store.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	s.Mounts = append(s.Mounts, Mount{Kind: MountRAM, Target: "/c", Size: 1 << 20})
	s.Limits.PIDs = 6
	if err := store.Save(s); err != nil {
		t.Fatal(err)
	}
	text, err := store.Read("web")
	for _, part := range []string{"# mine\n", "pids=6\n", "memory=1M\n", "ram=/c=1M\n"} {
		if !strings.Contains(text, part) || err != nil {
			t.Errorf("%s lacks %s, %v", text, part, err)
		}
	}
	for _, part := range []string{"1G", "/a=", "/b=", "apache2", "Nice", "[environment]"} {
		if strings.Contains(text, part) {
			t.Errorf("%s has %s, which a drop-in says", text, part)
		}
	}
	again, err := store.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Mounts) != 3 || len(again.Packages) != 1 || again.Limits.PIDs != 6 || again.Limits.Memory != 1<<30 {
		t.Errorf("%+v", again)
	}
}

// TestMasked: what is masked is told by name, and keeps what is its own.
func TestMasked(t *testing.T) {
	store := placesWith(t, map[string]string{
		"etc/web.sandbox": "-> /dev/null", "usr/web.sandbox": "[sandbox]\nformat=2\nunit=httpd.service\n",
		"states/web/state": "[sandbox]\nformat=2\n[security]\nlevel=s0:c1,c2\n",
	})
	var masked *MaskedError
	if _, err := store.Load("web"); !errors.As(err, &masked) || err.Error() != "web is masked by "+store.Path("web") {
		t.Error(err)
	}
	if known, err := store.Known("web"); err != nil || known.Security.Level != "s0:c1,c2" {
		t.Errorf("%+v, %v", known, err)
	}
	if text, err := store.Texts("web"); err != nil || !strings.Contains(text, "s0:c1,c2") {
		t.Errorf("%s, %v", text, err)
	}
}

// FuzzDropIn: a config with a drop-in is what is written of it, alone or beside that drop-in; and it says no more
// percent signs than the files.
func FuzzDropIn(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text, "[sandbox]\nunit=\nunit=b@%i.service\n[limits]\nmemory=1G\n")
		f.Add("[sandbox]\nformat=2\nunit=a.service\n", text)
	}
	f.Add(template, "[mounts]\nhost-show=\n[environment]\nPERCENT=%n\n[service]\nNice=\n")
	f.Fuzz(func(t *testing.T, config, dropIn string) {
		add := configtree.File{Path: "drop-in", Text: dropIn, IsDropIn: true}
		s, err := parseFiles("x", false, configtree.File{Path: "x", Text: config}, add)
		if err != nil {
			return
		}
		alone, err := Parse("x.sandbox", s.Text())
		if err != nil || !reflect.DeepEqual(alone, s) {
			t.Fatalf("%v\nread back\n%+v\nwas\n%+v", err, alone, s)
		}
		text := textBeside(s, config, []configtree.File{add})
		beside, err := parseFiles("x", false, configtree.File{Path: "x", Text: text}, add)
		if err != nil {
			// A drop-in alone may be what makes it complete, and a config says nothing twice.
			text = textBeside(s, "", []configtree.File{add})
			beside, err = parseFiles("x", false, configtree.File{Path: "x", Text: text}, add)
		}
		if err != nil || beside.Limits != s.Limits || len(beside.Mounts) != len(s.Mounts) ||
			len(beside.Environment) != len(s.Environment) || !reflect.DeepEqual(beside.Hardening, s.Hardening) {
			t.Errorf("%v\nbeside\n%+v\nwas\n%+v\n%s", err, beside, s, text)
		}
	})
}
