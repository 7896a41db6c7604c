// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

const good = "[sandbox]\nformat=1\nname=good\nunit=httpd.service\n"

// bad is a config that cannot be used, with the line that must be blamed and a part of the reason. unit is the one that
// is left to tell of it; "" where nothing tells its name.
type bad struct {
	name, text   string
	line         int
	reason, unit string
}

func badConfigs() []bad {
	named := func(name, rest string) string {
		return "[sandbox]\nformat=1\nname=" + name + "\nunit=httpd.service\n" + rest
	}
	return []bad{
		{"empty", "", 1, "format is missing", ""},
		{"binary", "\x7fELF\x02\x01\x00\xff\xfe", 1, "not UTF-8 text", ""},
		{"huge", named("huge", strings.Repeat("# filler\n", 10<<20/9)), 1, "longer than 1048576 bytes", ""},
		{"newline", named("newline", "content=\"/srv/a\\nExecStart=/bin/sh\"\n"), 5, "must be an absolute path",
			"httpd@newline.service"},
		{"unit-newline", "[sandbox]\nformat=1\nname=unit-newline\nunit=\"a.service\\nb\"\n", 4, "not a unit name", ""},
		{"twice", named("twice", "name=twice\n"), 5, "given twice", "httpd@twice.service"},
		{"other", named("good", ""), 3, "differs from the file's name", "httpd@other.service"},
		{"unknown-key", named("unknown-key", "colour=blue\n"), 5, "unknown key", "httpd@unknown-key.service"},
		{"unknown-section", named("unknown-section", "[colour]\n"), 5, "unknown section", "httpd@unknown-section.service"},
		{"no-value", named("no-value", "copy\n"), 5, "neither", "httpd@no-value.service"},
		{"no-section", "name=no-section\n", 1, "before the first", ""},
		{"newer", "[sandbox]\nformat=9\nname=newer\nunit=httpd.service\n", 2, "format \"9\"", "httpd@newer.service"},
		{"no-unit", "[sandbox]\nformat=1\nname=no-unit\n", 1, "nothing to run", ""},
		{"both", named("both", "[command]\nargument=/bin/true\n"), 1, "exclude each other", "httpd@both.service"},
		{"traversal", "[sandbox]\nformat=1\nname=traversal\nunit=../../x.service\n", 4, "not a unit name", ""},
		{"level", named("level", "[security]\nlevel=s0:c9999\n"), 6, "c9999", "httpd@level.service"},
		{"quotes", named("quotes", "content=\"/srv\n"), 5, "quote", "httpd@quotes.service"},
		{"original", "[api]\nclass=GVirSandboxConfigServiceSystemd\n[core]\nname=original\n", 1, "run virt-sandbox-service " +
			"upgrade original", ""},
		{"job", "[sandbox]\nformat=1\nname=job\n[command]\nargument=/bin/true\n[identity]\nuid=-1\n", 7, "not a number",
			"virt-sandbox@job.service"},
	}
}

// TestBadConfigs: one good config among twenty that are bad, each in its own way, gives the one unit, a line for each
// of the others that names file and line, and where the name of its unit is known, one that fails.
func TestBadConfigs(t *testing.T) {
	texts := map[string]string{"good.sandbox": good}
	for _, b := range badConfigs() {
		texts[b.name+config.Suffix] = b.text
	}
	store := configsIn(t, texts)
	// Two more that no text makes: a link to nothing and a pipe that nobody writes to.
	if err := os.Symlink("/no/such/config", store.Path("dangling")); err != nil {
		t.Fatal(err)
	}
	shell(t, "mkfifo "+store.Path("pipe"))
	all := append(badConfigs(),
		bad{"dangling", "", 1, "link to /no/such/config", ""},
		bad{"pipe", "", 1, "not a regular file", ""})

	files, problems := generate(t, store, t.TempDir())
	if len(problems) != len(all) {
		t.Errorf("%d problems, want %d", len(problems), len(all))
	}
	for _, b := range all {
		pattern := fmt.Sprintf(
			`(?m)^%s:%d: [^\n]*%s[^\n]*$`,
			regexp.QuoteMeta(store.Path(b.name)),
			b.line,
			regexp.QuoteMeta(b.reason),
		)
		var found error
		for _, p := range problems {
			if regexp.MustCompile(pattern).MatchString(p.Error()) {
				found = p
			}
		}
		if found == nil {
			t.Errorf("no line %s among\n%v", pattern, problems)
		}
		if b.unit == "" {
			continue
		}
		text := files["late/"+b.unit]
		if !strings.Contains(text, "ExecStart="+helper+" explain "+b.name+"\n") || !strings.Contains(text, b.reason[:4]) {
			t.Errorf("%s does not fail with the reason:\n%s", b.unit, text)
		}
		delete(files, "late/"+b.unit)
	}
	if text := files["httpd@good.service"]; !strings.Contains(text, " run good\n") || len(files) != 1 {
		t.Errorf("units beside those that fail: %v", files)
	}
}

func TestBadFileNames(t *testing.T) {
	store := configsIn(t, map[string]string{
		"a b.sandbox": good, "a\nb.sandbox": good, "..sandbox": good, ".hidden.sandbox": good, "-x.sandbox": good,
		strings.Repeat("n", 64) + ".sandbox": good, "readme.txt": "", "web.sandbox~": "", ".web.sandbox123": "",
	})
	files, problems := generate(t, store, t.TempDir())
	if len(files) != 0 {
		t.Errorf("units: %v", files)
	}
	if len(problems) != 4 {
		t.Errorf("problems: %q", problems)
	}
	for _, p := range problems {
		if strings.Contains(p.Error(), "\n") || !strings.Contains(p.Error(), ".sandbox:1: ") {
			t.Errorf("%q is not one line with file and line", p)
		}
	}
}

func TestNoDirectoryOfConfigs(t *testing.T) {
	files, problems := generate(t, config.Store{Dir: t.TempDir() + "/absent"}, t.TempDir())
	if len(files) != 0 || len(problems) != 0 {
		t.Errorf("got %v, %v", files, problems)
	}
}

// TestStubsWithoutAConfig: a stub whose config is gone, or has come to name another unit, tells so and can
// still stop what was started with it.
func TestStubsWithoutAConfig(t *testing.T) {
	store := configsIn(t, map[string]string{"good.sandbox": good, "good-2.sandbox": strings.Replace(good, "name=good",
		"name=good-2", 1)})
	dir := t.TempDir()
	put := func(unit, name string) {
		text := units.Stub(&config.Sandbox{Name: name, Units: []string{"x.service"}}, units.Paths{Config: store.Path(name)})
		if err := os.WriteFile(filepath.Join(dir, unit), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("httpd@good.service", "good")
	put("nginx@good.service", "good")
	put("httpd@gone.service", "gone")
	shell(t, "printf '[Service]\nExecStart=/bin/true\n' >"+dir+"/own@other.service; ln -s /dev/null "+dir+
		"/getty@tty1.service")
	files, problems := generate(t, store, dir)
	if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), store.Path("gone")+":1: the config of "+
		"httpd@gone.service is gone") {
		t.Errorf("problems: %v", problems)
	}
	for file, part := range map[string]string{
		"httpd@good.service.d/50-virt-sandbox.conf":      " run good\n",
		"httpd@good-2.service":                           " run good-2\n",
		"late/nginx@good.service.d/50-virt-sandbox.conf": "its unit is httpd@good.service now",
		"late/httpd@gone.service.d/50-virt-sandbox.conf": "ExecStop=" + helper + " stop gone\n",
	} {
		if !strings.Contains(files[file], part) {
			t.Errorf("%s lacks %q:\n%s", file, part, files[file])
		}
		delete(files, file)
	}
	if len(files) != 0 {
		t.Errorf("more than that: %v", files)
	}
}

// TestUnitFiles has units of the administrator's in the place of a stub.
func TestUnitFiles(t *testing.T) {
	const broken = "[sandbox]\nformat=1\nname=good\nunit=httpd.service\ncolour=blue\n"
	store := configsIn(t, map[string]string{"good.sandbox": good})
	s, err := store.Load("good")
	if err != nil {
		t.Fatal(err)
	}
	stub := string(units.Stub(s, units.Paths{Config: store.Path("good")}))
	for _, c := range []struct {
		name, file, config string
		want               string // the one file that is generated
	}{
		{"none", "", good, "httpd@good.service"},
		{"stub", stub, good, "httpd@good.service.d/50-virt-sandbox.conf"},
		{"stub with more in it", stub + "Also=other.service\n", good, "httpd@good.service.d/50-virt-sandbox.conf"},
		{"full", stub + "[Service]\nExecStart=/bin/true\n", good, ""},
		{"of another config", "[Unit]\nSourcePath=/etc/other\n", good, ""},
		{"broken config", "", broken, "late/httpd@good.service"},
		{"broken config, stub", stub, broken, "late/httpd@good.service.d/50-virt-sandbox.conf"},
		{"broken config, full", "[Service]\nExecStart=/bin/true\n", broken, ""},
		{"empty config, stub", stub, "", "late/httpd@good.service.d/50-virt-sandbox.conf"},
		{"empty config, none", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(dir, "httpd@good.service"), []byte(c.file), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(store.Path("good"), []byte(c.config), 0o644); err != nil {
				t.Fatal(err)
			}
			files, _ := generate(t, store, dir)
			if c.want == "" && len(files) != 0 || c.want != "" && (len(files) != 1 || files[c.want] == "") {
				t.Errorf("got %v, want %q", files, c.want)
			}
		})
	}
}

// TestOriginalConfigs in directories of their own give one line each, until ours is beside them.
func TestOriginalConfigs(t *testing.T) {
	store := configsIn(t, map[string]string{"good.sandbox": good})
	shell(t, "cd "+store.Dir+" && mkdir -p good/config old/config other/empty && touch good/config/sandbox.cfg "+
		"old/config/sandbox.cfg")
	files, problems := generate(t, store, t.TempDir())
	want := store.Dir + "/old/config/sandbox.cfg:1: it is a config of the original libvirt-sandbox; run " +
		"virt-sandbox-service upgrade old"
	if len(problems) != 1 || problems[0].Error() != want {
		t.Errorf("problems %q, want %q", problems, want)
	}
	if files["httpd@good.service"] == "" || len(files) != 1 {
		t.Errorf("units %v", files)
	}
}

// Each mistake of a config and of its drop-ins is a line of its own.
func TestEachMistake(t *testing.T) {
	store := configsIn(t, map[string]string{
		"good.sandbox": good, "bad.sandbox": "[sandbox]\nformat=1\nname=bad\nunti=httpd\n[limits]\nmemory=2GB\n",
	})
	shell(t, "mkdir "+store.Dir+"/good.sandbox.d && printf '[limits]\nmemory=1G\nmemroy=2G\n[limit]\n' >"+store.Dir+
		"/good.sandbox.d/a.conf")
	_, problems := generate(t, store, t.TempDir())
	want := []string{
		store.Path("bad") + `:4: unknown key "unti" in [sandbox]; did you mean "unit"?`,
		store.Path("bad") + `:6: "2GB" is not a size such as 512M or 2G (bytes, K, M, G, T)`,
		store.Dir + `/good.sandbox.d/a.conf:3: unknown key "memroy" in [limits]; did you mean "memory"?`,
		store.Dir + `/good.sandbox.d/a.conf:4: unknown section [limit]; did you mean [limits]?`,
	}
	if len(problems) != len(want) {
		t.Fatalf("%q", problems)
	}
	for i, problem := range problems {
		if problem.Error() != want[i] {
			t.Errorf("got  %v\nwant %s", problem, want[i])
		}
	}
}
