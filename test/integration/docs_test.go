// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/docs"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// What the documentation has its readers type, they can: blocks that are marked so run as they stand there, one page
// after the other, and leave nothing. testdata/docs has what must be there before a page, as another host to copy to,
// and what looks at its outcome and takes it down after it.
func TestDocs(t *testing.T) {
	rig.On(t, rig.Host, rig.Docs)
	rig.Needs(t, rig.Systemd)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	ran, on := 0, rig.Place(os.Getenv(rig.Variable))
	for _, page := range append(pages, "../../README.md") {
		blocks, err := docs.Blocks(page)
		if err != nil {
			t.Fatal(err)
		}
		var script strings.Builder
		for _, b := range blocks {
			where, _, err := b.Where()
			if err != nil {
				t.Errorf("%s:%d: %v", page, b.Line, err)
			}
			if where == docs.Everywhere || where == docs.Docs && on == rig.Docs {
				script.WriteString(b.Text)
			}
		}
		if script.Len() == 0 {
			continue
		}
		ran++
		name := filepath.Base(page)
		t.Run(name, func(t *testing.T) {
			typed := script.String()
			// README.md has Fedora's name in its commands, and says that Debian's is another.
			if _, err := os.Stat("/usr/lib/systemd/system/httpd.service"); err != nil && name == "README.md" {
				typed = strings.ReplaceAll(typed, "httpd", "apache2")
			}
			beside(t, name+".before")
			before := snapshot(t)
			o := typeIn(t, typed)
			beside(t, name+".after")
			if o != "" {
				t.Error(o)
			}
			sameAs(t, before, "after the page")
			beside(t, name+".end")
		})
	}
	if ran == 0 {
		t.Error("no page has anything to run")
	}
}

// beside runs what testdata/docs has to go with a page.
func beside(t *testing.T, name string) {
	t.Helper()
	script, err := os.ReadFile("testdata/docs/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if o := typeIn(t, string(script)); o != "" {
		t.Errorf("%s: %s", name, o)
	}
}

// typeIn has a shell run what a person would type, and returns what it said if that fails.
func typeIn(t *testing.T, script string) string {
	t.Helper()
	command := exec.Command("bash", "-euxc", script)
	// A hundred are made by test/scale.
	command.Env = append(command.Environ(), "N=3", rig.Variable+"="+os.Getenv(rig.Variable))
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v\n%s", err, out)
	}
	return ""
}
