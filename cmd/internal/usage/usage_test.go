// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// command has an option of each kind.
func command() *cobra.Command {
	c := &cobra.Command{Use: "do [OPTION]…", Short: "Do it", Long: "Do it.\n\nWith care.", Example: "  do --size 1",
		Run: func(*cobra.Command, []string) {}}
	flags := c.Flags()
	flags.String("size", "", "`SIZE` of it")
	flags.BoolP("all", "a", false, "all of it")
	flags.String("boot", "", "only of `BOOT`")
	flags.Lookup("boot").NoOptDefVal = "0"
	flags.Bool("hidden", false, "nobody's business")
	flags.Lookup("hidden").Hidden = true
	flags.BoolP("help", "h", false, "show help")
	Install(c)
	return c
}

func TestHelp(t *testing.T) {
	c := command()
	SetGroups(c, Group{Title: "What", Text: "Much or little.", Options: []string{"size", "all"}})
	var out bytes.Buffer
	c.SetOut(&out)
	if err := c.Help(); err != nil {
		t.Fatal(err)
	}
	const want = `Do it.

Usage:
  do [OPTION]…

Examples:
  do --size 1

With care.

What:
Much or little.

      --size SIZE
          SIZE of it.
  -a, --all
          All of it.

More:
      --boot[=BOOT]
          Only of BOOT.
  -h, --help
          Show help.
`
	if out.String() != want {
		t.Errorf("%s", &out)
	}
}

// Without groups, all options that are shown are one.
func TestNoGroups(t *testing.T) {
	groups := GroupsOf(command())
	if len(groups) != 1 || groups[0].Title != "Options" || strings.Join(groups[0].Options, " ") != "all boot help size" {
		t.Errorf("%+v", groups)
	}
}

// An option that is in no command or in two groups is a mistake of ours, which shows at once.
func TestWrongGroups(t *testing.T) {
	for _, groups := range [][]Group{
		{{Options: []string{"none"}}},
		{{Options: []string{"size"}}, {Options: []string{"size"}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v are taken", groups)
				}
			}()
			SetGroups(command(), groups...)
		}()
	}
}
