// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// ownPrefix is that of units whose template is ours, so that drop-ins for all of them are meant for us.
const ownPrefix = "virt-sandbox"

// dropInCache is what lies in directories of drop-ins, by their names, in all directories of units. Many containers
// are of the same template.
type dropInCache struct {
	unitPath []string
	found    map[string][]string
}

func (c *dropInCache) of(name string) []string {
	if found, known := c.found[name]; known {
		return found
	}
	var found []string
	for _, dir := range c.unitPath {
		entries, _ := os.ReadDir(filepath.Join(dir, name+".d"))
		for _, e := range entries {
			if path.Ext(e.Name()) == ".conf" && !slices.Contains(found, e.Name()) {
				found = append(found, e.Name())
			}
		}
	}
	c.found[name] = found
	return found
}

// maskForeign masks, for the unit of a container, the drop-ins of the distribution's template of that name: what they
// say is for the service itself, which has it inside, and would change how the helper runs. Those for the unit by its
// full name are meant for it.
func (g Generator) maskForeign(unit string, sink Sink) error {
	name, err := unitname.Parse(unit)
	if err != nil || name.Prefix() == ownPrefix || g.dropIns == nil {
		return nil
	}
	var foreign []string
	for _, other := range name.DropInNames()[1:] {
		foreign = append(foreign, g.dropIns.of(other)...)
	}
	if len(foreign) == 0 {
		return nil
	}
	own := g.dropIns.of(unit)
	slices.Sort(foreign)
	for _, file := range slices.Compact(foreign) {
		if slices.Contains(own, file) {
			continue
		}
		if err := sink.Put(File{Path: unit + ".d/" + file, Link: "/dev/null", Early: true}); err != nil {
			return err
		}
	}
	return nil
}
