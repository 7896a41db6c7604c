// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table, extension.Linkify),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
)

// renderMarkdown renders one page. Links to pages become links to those of the site.
func renderMarkdown(sources, name string, source []byte) (page, error) {
	p := page{source: name, out: outName(name)}
	document := markdown.Parser().Parse(text.NewReader(source))
	err := ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if p.title == "" {
				p.title = plain(n, source)
			}
		case *tables.Table:
			label(n, source)
		case *ast.Link:
			link := string(n.Destination)
			target, err := siteLink(sources, name, link)
			n.Destination = []byte(target)
			if err == nil && strings.HasSuffix(link, ".md") && (plain(n, source) == link || plain(n, source) == path.Base(link)) {
				// The name of a file says nothing on the site.
				n.RemoveChildren(n)
				n.AppendChild(n, ast.NewString([]byte(titleOf(sources, path.Join(path.Dir(name), link)))))
				return ast.WalkSkipChildren, nil
			}
			return ast.WalkContinue, err
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, document); err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	// Wide tables are scrolled by themselves.
	body := strings.ReplaceAll(out.String(), "<table>", `<div class="wide"><table>`)
	body = strings.ReplaceAll(body, "</table>", "</table></div>")
	p.body = template.HTML(body)
	return p, nil
}

// label has each cell of a table say what its column is called: a narrow screen shows cells below each other.
func label(table *tables.Table, source []byte) {
	var names []string
	for cell := table.FirstChild().FirstChild(); cell != nil; cell = cell.NextSibling() {
		names = append(names, plain(cell, source))
	}
	for row := table.FirstChild().NextSibling(); row != nil; row = row.NextSibling() {
		column := 0
		for cell := row.FirstChild(); cell != nil && column < len(names); cell = cell.NextSibling() {
			cell.SetAttributeString("data-label", []byte(names[column]))
			column++
		}
	}
}

// titleOf is the first heading of a page.
func titleOf(sources, name string) string {
	text, _ := os.ReadFile(filepath.Join(sources, name))
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(line, "# ")
}

// plain is the text of a node.
func plain(n ast.Node, source []byte) string {
	var out strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, isText := c.(*ast.Text); isText {
			out.Write(t.Segment.Value(source))
		} else {
			out.WriteString(plain(c, source))
		}
	}
	return out.String()
}

// siteLink returns where a link of a page leads on the site: to a page, or to a file of the sources at their home.
func siteLink(sources, from, link string) (string, error) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") || strings.HasPrefix(link, "#") {
		return link, nil
	}
	file, anchor, hasAnchor := strings.Cut(link, "#")
	target := path.Join(path.Dir(from), file)
	if _, err := os.Stat(filepath.Join(sources, target)); err != nil {
		return "", fmt.Errorf("the link to %s leads nowhere", link)
	}
	up := strings.Repeat("../", strings.Count(outName(from), "/"))
	switch {
	case strings.HasSuffix(target, ".md"):
		target = up + outName(target)
	case strings.HasSuffix(target, ".svg"):
		target = up + target
	default:
		target = home + target
	}
	if hasAnchor {
		target += "#" + anchor
	}
	return target, nil
}
