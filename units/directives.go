// SPDX-License-Identifier: Apache-2.0

package units

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/directive"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// CheckDirectives finds what is passed on to systemd for a sandbox, or would be for one that is to be, and what systemd
// would only warn about: directives that are not known, and dependencies on sandboxes that are not there. Errors: those
// of config.Store.Said, and *config.SyntaxError with all of them.
func CheckDirectives(store config.Store, name string) error {
	lines, err := store.Said(name)
	if err != nil {
		return err
	}
	var mistakes textmerge.Mistakes
	wrong := func(file string, line int, err error) {
		mistakes = append(mistakes, &config.SyntaxError{File: file, Line: line, Message: err.Error()})
	}
	for _, one := range lines {
		if !config.IsVerbatim(one.Section) {
			continue
		}
		if err := directive.CheckKnown(one.Section, one.Key); err != nil {
			wrong(one.File, one.Line, err)
		}
		for _, other := range directive.Sandboxes(one.Key, one.Value) {
			if _, err := store.Find(other); err != nil {
				wrong(one.File, one.Line, fmt.Errorf("%s=%s%s: %w", one.Key, other, config.Suffix, err))
			}
		}
	}
	return mistakes.Err()
}
