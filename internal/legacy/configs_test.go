// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// TestConfigs finds legacy configs in both places, and tells them from ours.
func TestConfigs(t *testing.T) {
	c := Configs{config.Store{Dir: t.TempDir() + "/services"}}
	if names, err := c.Names(); len(names) != 0 || err != nil {
		t.Errorf("without a directory: %q, %v", names, err)
	}
	ours := "[sandbox]\nname=ours\n"
	for file, text := range map[string]string{
		c.Store.Path("shared"): strings.ReplaceAll(minimal, "name=x", "name=shared"),
		c.Path("own"):          strings.ReplaceAll(minimal, "name=x", "name=own"),
		c.Store.Path("both"):   minimal, c.Path("both"): minimal,
		c.Store.Path("ours"): ours, c.Path("ours"): minimal,
		c.Store.Path("renamed"): minimal, c.Path("again"): minimal, c.Path("-x"): minimal,
		c.Store.Path("bad"): "[api]\n",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := c.Names(); !slices.Equal(names, []string{"again", "own"}) || err != nil {
		t.Errorf("only legacy are %q, %v", names, err)
	}
	for _, test := range []struct{ name, file, want string }{
		{"shared", c.Store.Path("shared"), ""},
		{"own", c.Path("own"), ""},
		{"both", "", "are both configs of the original; move one of them away"},
		{"renamed", "", `it is of "x"; rename one of them`},
		{"bad", "", "lacks class="},
		{"../x", "", "must match"},
	} {
		file, imported, err := c.Load(test.name)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err != nil || file != test.file || imported.Sandbox.Name != test.name {
			t.Errorf("%s: %s, %v", test.name, file, err)
		}
	}
	for _, name := range []string{"ours", "none"} {
		if _, _, err := c.Load(name); !errors.Is(err, config.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
