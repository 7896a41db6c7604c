// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/net/html"
)

// contents is what a page has: where it leads, and what can be led to.
type contents struct {
	links []string
	ids   map[string]bool
}

// checkLinks looks at every page of a site for links, pictures and anchors that are not there, and for anchors that are there
// twice. Links to elsewhere are not followed.
func checkLinks(site string) error {
	pages := make(map[string]contents)
	var wrong []error
	err := filepath.WalkDir(site, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".html") {
			return err
		}
		name, err := filepath.Rel(site, file)
		if err != nil {
			return err
		}
		pages[name], err = read(file)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	count := 0
	for name, c := range pages {
		for _, link := range c.links {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			count++
			file, anchor, hasAnchor := strings.Cut(link, "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(site, target)); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: the link to %s leads nowhere", name, link))
			} else if hasAnchor && !pages[target].ids[anchor] {
				wrong = append(wrong, fmt.Errorf("%s: %s has no place for %s", name, target, link))
			}
		}
	}
	if count == 0 {
		wrong = append(wrong, errors.New("there are no links at all"))
	}
	if len(wrong) == 0 {
		fmt.Printf("%d links of %d pages lead somewhere\n", count, len(pages))
	}
	return errors.Join(wrong...)
}

// read finds links and ids in a page. Errors: of reading, and an id that is there twice.
func read(file string) (contents, error) {
	c := contents{ids: make(map[string]bool)}
	f, err := os.Open(file)
	if err != nil {
		return c, err
	}
	defer f.Close()
	root, err := html.Parse(f)
	if err != nil {
		return c, err
	}
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			switch {
			case a.Key == "id" && c.ids[a.Val]:
				err = errors.Join(err, fmt.Errorf("the id %s is there twice", a.Val))
			case a.Key == "id":
				c.ids[a.Val] = true
			case a.Key == "href", a.Key == "src":
				c.links = append(c.links, a.Val)
			}
		}
	}
	return c, err
}
