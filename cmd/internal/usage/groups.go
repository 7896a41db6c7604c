// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"encoding/json"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Group is options of a command that belong together, by their long names, with what there is to say of them.
type Group struct {
	Title, Text string
	Options     []string
}

// groupsKey is the annotation that holds a command's groups.
const groupsKey = "groups"

// SetGroups has help show the options of a command in groups. It panics where one is not there or in two groups: that
// is a mistake in the program.
func SetGroups(c *cobra.Command, groups ...Group) {
	seen := make(map[string]bool)
	for _, g := range groups {
		for _, name := range g.Options {
			if seen[name] || c.Flags().Lookup(name) == nil {
				panic("options of " + c.Name() + ": " + name)
			}
			seen[name] = true
		}
	}
	text, err := json.Marshal(groups)
	if err != nil {
		panic(err)
	}
	if c.Annotations == nil {
		c.Annotations = make(map[string]string)
	}
	c.Annotations[groupsKey] = string(text)
}

// GroupsOf returns the groups of a command's own options that are shown; those that are in none come last.
func GroupsOf(c *cobra.Command) []Group {
	var groups []Group
	// SetGroups wrote it; without there are none.
	_ = json.Unmarshal([]byte(c.Annotations[groupsKey]), &groups)
	rest := Group{Title: "Options"}
	if len(groups) > 0 {
		rest.Title = "More"
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		inGroup := slices.ContainsFunc(groups, func(g Group) bool { return slices.Contains(g.Options, f.Name) })
		if !f.Hidden && !inGroup {
			rest.Options = append(rest.Options, f.Name)
		}
	})
	if len(rest.Options) > 0 {
		groups = append(groups, rest)
	}
	return groups
}
