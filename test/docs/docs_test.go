// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const top = "../.."

func pages(t *testing.T) []string {
	t.Helper()
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 10 {
		t.Fatalf("only %d pages", len(pages))
	}
	return pages
}

func text(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors returns what the headings of a page are called in links.
func anchors(text string) map[string]bool {
	all := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		plain := noAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return all
}

// Links lead to files that are there, and to headings that they have.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(text(t, page), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !info.IsDir() && !anchors(text(t, target))[anchor] {
				t.Errorf("%s: %s has no heading for %s", page, target, m[1])
			}
		}
	}
}

// Who decides in two minutes reads README.md. It has this many words as wc(1) counts them.
func TestReadmeIsShort(t *testing.T) {
	const most = 450
	if words := len(strings.Fields(text(t, top+"/README.md"))); words > most {
		t.Errorf("README.md has %d words, which is more than %d", words, most)
	}
}

// Every page of docs can be found from README.md, directly or by another.
func TestPagesAreLinked(t *testing.T) {
	reached := map[string]bool{}
	next := []string{filepath.Join(top, "README.md")}
	for len(next) > 0 {
		page := next[0]
		next = next[1:]
		if reached[page] || !strings.HasSuffix(page, ".md") {
			continue
		}
		reached[page] = true
		for _, m := range link.FindAllStringSubmatch(text(t, page), -1) {
			file, _, _ := strings.Cut(m[1], "#")
			if target := filepath.Join(filepath.Dir(page), file); file != "" && !strings.Contains(file, "://") {
				if _, err := os.Stat(target); err == nil {
					next = append(next, target)
				}
			}
		}
	}
	for _, page := range pages(t) {
		if !reached[page] {
			t.Errorf("no link leads to %s", page)
		}
	}
}

var (
	command = regexp.MustCompile(`(?m)(?:^|[;&|(] *)virt-sandbox-service ([a-z-]+)`)
	option  = regexp.MustCompile(` (--[a-z][a-z-]*)`)
	aliases = map[string]string{"ls": "list", "rm": "delete", "exec": "execute", "shell": "connect"}
)

var (
	target   = regexp.MustCompile(`(?m)(?:^|&& |by |in |[;,:] )make ([a-z][a-z-]*)`)
	testName = regexp.MustCompile(`\bTest[A-Z]\w*`)
)

// Every block of commands is run by a test, or says why not; a test and a target of make that it names are there.
func TestCommandsAreRun(t *testing.T) {
	makefile, tests := text(t, top+"/Makefile"), ""
	for _, pattern := range []string{"integration", "packaging"} {
		files, err := filepath.Glob(filepath.Join(top, "test", pattern, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests in %s: %v", pattern, err)
		}
		for _, file := range files {
			tests += text(t, file)
		}
	}
	runs := make(map[Where]int)
	for _, page := range pages(t) {
		blocks, err := Blocks(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			where, reason, err := b.Where()
			if err != nil {
				t.Errorf("%s:%d: %v", page, b.Line, err)
			}
			runs[where]++
			for _, m := range target.FindAllStringSubmatch(reason+"\n"+b.Text, -1) {
				if !strings.Contains(makefile, "\n"+m[1]+":") {
					t.Errorf("%s:%d: there is no target %q of make", page, b.Line, m[1])
				}
			}
			for _, name := range testName.FindAllString(reason, -1) {
				if !strings.Contains(tests, "\nfunc "+name+"(t ") {
					t.Errorf("%s:%d: there is no test %s", page, b.Line, name)
				}
			}
		}
	}
	for where, least := range map[Where]int{Everywhere: 30, Docs: 10, Packages: 1} {
		if runs[where] < least {
			t.Errorf("only %d blocks are run in %q", runs[where], where)
		}
	}
}

// A block of commands that says nothing of a run is told of.
func TestWhere(t *testing.T) {
	for info, want := range map[string]string{
		"sh run": "", "sh run docs": "docs", "sh run packages": "packages",
		"sh not run: it takes an hour": "nowhere it takes an hour", "yaml": "nowhere", "": "nowhere",
		"sh": "error", "sh run elsewhere": "error", "sh not run": "error", "sh not run: ": "error", "bash": "error",
	} {
		where, reason, err := Block{Info: info}.Where()
		got := strings.TrimSpace(string(where) + " " + reason)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", info, got, want)
		}
	}
}

// Verbs that blocks and sentences name have manual pages, and these have the options.
func TestCommandsHaveManuals(t *testing.T) {
	found := 0
	check := func(page string, number int, line string) {
		m := command.FindStringSubmatchIndex(line)
		if m == nil {
			return
		}
		found++
		verb := line[m[2]:m[3]]
		if long := aliases[verb]; long != "" {
			verb = long
		}
		manual, err := os.ReadFile(top + "/man/virt-sandbox-service-" + verb + ".1")
		if err != nil {
			t.Errorf("%s:%d: no manual page of %s", page, number, verb)
			return
		}
		own, _, _ := strings.Cut(line[m[3]:], " -- ")
		own, _, _ = strings.Cut(own, "#")
		own, _, _ = strings.Cut(own, "|")
		for _, o := range option.FindAllStringSubmatch(own, -1) {
			escaped := strings.ReplaceAll(o[1], "-", `\-`)
			if !strings.Contains(string(manual), escaped) && !strings.Contains(string(manual), o[1]) {
				t.Errorf("%s:%d: the manual page of %s has no %s", page, number, verb, o[1])
			}
		}
	}
	for _, page := range pages(t) {
		blocks, err := Blocks(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			for line := range strings.Lines(b.Text) {
				check(page, b.Line, line)
			}
		}
		for i, line := range strings.Split(text(t, page), "\n") {
			for _, m := range code.FindAllStringSubmatch(line, -1) {
				check(page, i+1, m[1])
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d commands found", found)
	}
}
