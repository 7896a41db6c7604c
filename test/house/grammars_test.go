// SPDX-License-Identifier: Apache-2.0

package house

import (
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// parsers are the packages that alone take apart texts of a grammar, by a literal that only a parser of it needs.
var parsers = map[string]string{
	"@":  "internal/unitname", // systemd.unit(5)
	"@.": "internal/unitname",
}

// elsewhere are the files that have such a literal for something else, with the reason.
var elsewhere = map[string]string{
	"config/characters.go":  "a config's unit has no second @, which internal/unitname takes",
	"internal/guest/run.go": "the address of an abstract socket (sd_notify(3))",
}

// TestOneParserOfUnitNames: who else needs the parts of a unit's name asks internal/unitname.
func TestOneParserOfUnitNames(t *testing.T) {
	eachLiteral(t, func(position token.Position, text string) {
		owner, isParsers := parsers[text]
		file, err := filepath.Rel(root, position.Filename)
		if err != nil {
			t.Fatal(err)
		}
		if !isParsers || strings.HasPrefix(file, owner+"/") || elsewhere[file] != "" {
			return
		}
		t.Errorf("%s: %q takes a name apart that %s knows", position, text, owner)
	})
}
