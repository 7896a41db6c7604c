// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Links that lead nowhere, anchors that are not there or there twice, and missing pictures are found, each with its page.
func TestCheckLinks(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("index.html", `<p id="a"><a href="docs/other.html#b">b</a> <a href="#a">a</a> <a href="https://example.org/none">e</a>`)
	put("docs/other.html", `<p id="b"><a href="../index.html">i</a>`)
	if err := checkLinks(dir); err != nil {
		t.Errorf("of a site without a fault: %v", err)
	}
	put("docs/other.html", `<p id="b"><p id="b"><a href="index.html">i</a><img src="none.svg"><a href="../index.html#z">z</a>`)
	err := checkLinks(dir)
	for _, want := range []string{
		"docs/other.html: the id b is there twice", "docs/other.html: the link to index.html leads nowhere",
		"docs/other.html: the link to none.svg leads nowhere", "docs/other.html: index.html has no place for ../index.html#z",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not found: %v", want, err)
		}
	}
	if checkLinks(t.TempDir()) == nil {
		t.Error("a site of nothing is right")
	}
}

// A link to a page leads to that of the site, with its title; one to another file to the sources' home.
func TestRenderMarkdown(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"docs/other.md": "# The other\n", "README.md": "# Me\n", "LICENSE": "free"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := renderMarkdown(dir, "README.md", []byte("# Me\n[docs/other.md](docs/other.md) [b](docs/other.md#b) [c](LICENSE)\n\n"+
		"|a|\n|-|\n|b|\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<a href="docs/other.html">The other</a>`, `<a href="docs/other.html#b">b</a>`, `<a href="` + home + `LICENSE">c</a>`,
		`<h1 id="me">Me</h1>`, `<div class="wide"><table>`,
		`<td data-label="a">b</td>`,
	} {
		if !strings.Contains(string(p.body), want) {
			t.Errorf("there is no %s in\n%s", want, p.body)
		}
	}
	if p.title != "Me" || p.out != "index.html" {
		t.Errorf("%q, %q", p.title, p.out)
	}
	if _, err := renderMarkdown(dir, "README.md", []byte("[x](docs/none.md)")); err == nil {
		t.Error("a link that leads nowhere is taken")
	}
}

// Names of manual pages that are there become links.
func TestLinked(t *testing.T) {
	known := map[string]bool{"virt-sandbox.config.5": true}
	got := linked(`see <b>virt-sandbox.config</b>(5) and <b>journalctl</b>(1)`, known)
	want := `see <a href="virt-sandbox.config.5.html"><b>virt-sandbox.config</b>(5)</a> and <b>journalctl</b>(1)`
	if got != want {
		t.Errorf("got %s", got)
	}
}
