// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/specifier"
)

// maxGuessed is the longest text that is looked into, in bytes; config takes none that is longer.
const maxGuessed = 1 << 20

// guessHostUnit returns the name of the host's unit that a config which cannot be parsed would have had; "" where its
// files do not say. It reads lines alone: what is wrong with them must not matter.
func guessHostUnit(name string, files ...configtree.File) string {
	if config.CheckName(name) != nil {
		return ""
	}
	guess := config.Sandbox{Name: name}
	runsCommand := false
	for _, f := range files {
		if len(f.Text) > maxGuessed {
			return ""
		}
		guessFrom(f.Text, &guess, &runsCommand)
	}
	unit := guess.HostUnit()
	if len(guess.Units) == 0 && !runsCommand || len(unit) > config.MaxHostUnit {
		return ""
	}
	return unit
}

func guessFrom(text string, guess *config.Sandbox, runsCommand *bool) {
	section := ""
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") && strings.HasSuffix(l, "]") {
			section = l[1 : len(l)-1]
			continue
		}
		key, value, found := strings.Cut(l, "=")
		if !found {
			continue
		}
		key = strings.TrimSpace(key)
		value, err := specifier.Of(guess.Name).Expand(strings.TrimSpace(value), false)
		if err != nil {
			continue
		}
		switch {
		case section == "sandbox" && key == "unit" && config.CheckUnit(value) == nil && len(guess.Units) == 0:
			guess.Units = []string{value}
		case section == "command" && key == "argument":
			*runsCommand = true
		}
	}
}
