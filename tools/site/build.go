// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed style.css
var style []byte

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// home is where files of the sources that are no page are linked to.
const home = "https://github.com/virt-sandbox/virt-sandbox/blob/main/"

// group is a part of the menu. Its pages are named as in the sources.
type group struct {
	Title string
	Pages []string
}

// menu has every page but the manual pages; build complains of one that it lacks.
var menu = []group{
	{"Begin", []string{"README.md", "docs/install.md", "docs/comparison.md", "docs/migration.md", "docs/faq.md"}},
	{"Guides", []string{
		"docs/many-sites.md", "docs/databases.md", "docs/mail.md", "docs/timer-job.md", "docs/day-two.md", "docs/ansible.md",
		"docs/without-root.md",
	}},
	{"Know", []string{
		"docs/notes.md", "docs/security.md", "docs/performance.md", "docs/troubleshooting.md", "docs/glossary.md",
	}},
	{"Develop", []string{"docs/architecture.md", "HACKING.md", "CHANGELOG.md", "SECURITY.md"}},
}

// page is one of the site.
type page struct {
	source string // below the sources
	out    string // below the site
	title  string
	body   template.HTML
}

// item is a line of the menu.
type item struct {
	Title, Link string
	Here        bool
}

type section struct {
	Title string
	Items []item
}

// build writes the site. What lies in out is replaced.
func build(sources, out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	pages, err := textPages(sources)
	if err != nil {
		return err
	}
	manuals, err := manualPages(sources)
	if err != nil {
		return err
	}
	for _, p := range slices.Concat(pages, manuals) {
		if err := write(out, p, pages, manuals); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(out, "style.css"), style, 0o644); err != nil {
		return err
	}
	pictures, err := filepath.Glob(filepath.Join(sources, "docs/*.svg"))
	if err != nil {
		return err
	}
	for _, file := range pictures {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(out, "docs", filepath.Base(file)), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	fmt.Printf("%d pages and %d manual pages in %s\n", len(pages), len(manuals), out)
	return nil
}

// textPages renders the pages in the order of the menu.
func textPages(sources string) ([]page, error) {
	var known []string
	for _, g := range menu {
		known = append(known, g.Pages...)
	}
	found, err := filepath.Glob(filepath.Join(sources, "docs/*.md"))
	if err != nil {
		return nil, err
	}
	for _, file := range found {
		if name := "docs/" + filepath.Base(file); !slices.Contains(known, name) {
			return nil, fmt.Errorf("the menu (tools/site/build.go) lacks %s", name)
		}
	}
	var pages []page
	var failed []error
	for _, name := range known {
		text, err := os.ReadFile(filepath.Join(sources, name))
		if err != nil {
			failed = append(failed, err)
			continue
		}
		p, err := renderMarkdown(sources, name, text)
		failed = append(failed, err)
		pages = append(pages, p)
	}
	return pages, errors.Join(failed...)
}

// outName is where a page of the sources goes.
func outName(source string) string {
	if source == "README.md" {
		return "index.html"
	}
	return strings.TrimSuffix(source, ".md") + ".html"
}

func write(out string, p page, pages, manuals []page) error {
	up := strings.Repeat("../", strings.Count(p.out, "/"))
	line := func(of page) item { return item{of.title, up + of.out, of.out == p.out} }
	var sections []section
	for _, g := range menu {
		s := section{Title: g.Title}
		for _, of := range pages {
			if slices.Contains(g.Pages, of.source) {
				s.Items = append(s.Items, line(of))
			}
		}
		sections = append(sections, s)
	}
	programs, verbs := section{Title: "Manual pages"}, section{Title: "Verbs"}
	for _, of := range manuals {
		of := line(of)
		if verb, isVerb := strings.CutPrefix(of.Title, "virt-sandbox-service-"); isVerb && strings.HasSuffix(verb, "(1)") {
			of.Title = strings.TrimSuffix(verb, "(1)")
			verbs.Items = append(verbs.Items, of)
		} else {
			programs.Items = append(programs.Items, of)
		}
	}
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, map[string]any{
		"Title": p.title, "Up": up, "Body": p.body, "Menu": append(sections, programs, verbs), "Manual": strings.HasPrefix(p.out, "man/"),
	})
	if err != nil {
		return err
	}
	file := filepath.Join(out, p.out)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}
