// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// maxGuessed is the longest text that is looked into, in bytes; config takes none that is longer.
const maxGuessed = 1 << 20

// guessHostUnit returns the name of the host's unit that a config which cannot be parsed would have had; "" where its
// text does not say. It reads lines alone: what is wrong with the text must not matter.
func guessHostUnit(name, text string) string {
	if config.CheckName(name) != nil || len(text) > maxGuessed {
		return ""
	}
	guess := config.Sandbox{Name: name}
	section, runsCommand := "", false
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
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case section == "sandbox" && key == "unit" && config.CheckUnit(value) == nil && len(guess.Units) == 0:
			guess.Units = []string{value}
		case section == "command" && key == "argument":
			runsCommand = true
		}
	}
	unit := guess.HostUnit()
	if len(guess.Units) == 0 && !runsCommand || len(unit) > config.MaxHostUnit {
		return ""
	}
	return unit
}
