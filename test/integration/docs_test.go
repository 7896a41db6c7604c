// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/docs"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// needPackages reports whether a page uses packages that only the host of make test-docs has.
func needPackages(page string) bool { return page == "databases.md" || page == "mail.md" }

// What the documentation has its readers type, they can: blocks that are marked so run as they stand there, one page
// after the other, and leave nothing.
func TestDocs(t *testing.T) {
	rig.On(t, rig.Host, rig.Docs)
	rig.Needs(t, rig.Systemd)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	ran := 0
	for _, page := range pages {
		blocks, err := docs.Blocks(page)
		if err != nil {
			t.Fatal(err)
		}
		var script strings.Builder
		for _, b := range blocks {
			if b.Run() {
				script.WriteString(b.Text)
			}
		}
		if script.Len() == 0 {
			continue
		}
		ran++
		t.Run(filepath.Base(page), func(t *testing.T) {
			if needPackages(filepath.Base(page)) {
				rig.On(t, rig.Docs)
			}
			before := snapshot(t)
			command := exec.Command("bash", "-euxc", script.String())
			// A hundred are made by test/scale.
			command.Env = append(command.Environ(), "N=3")
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			sameAs(t, before, "after the page")
		})
	}
	if ran == 0 {
		t.Error("no page has anything to run")
	}
}
