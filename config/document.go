// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/dropin"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// maxConfigSize bounds what is read into memory; the largest real config has a few hundred lines.
const maxConfigSize = 1 << 20

type (
	entry = textmerge.Entry
	line  = textmerge.Line
)

// parseLines splits a config into lines.
func parseLines(file, text string) ([]line, error) {
	lines := make([]line, 0, 1+strings.Count(text, "\n"))
	err := eachLine(file, text, func(l line, wrong error) error {
		lines = append(lines, l)
		return wrong
	})
	return lines, err
}

// eachLine calls visit with each line of a config, or with what is wrong with it.
func eachLine(file, text string, visit func(line, error) error) error {
	if len(text) > maxConfigSize {
		return &SyntaxError{File: file, Message: fmt.Sprintf(msgTooLong, maxConfigSize)}
	}
	return textmerge.Each(text, IsVerbatim, visit)
}

// EntryText returns a setting as a line of a config.
func EntryText(e entry) string {
	if IsVerbatim(e.Section) {
		return e.Key + "=" + e.Value
	}
	return e.Key + "=" + textmerge.Quote(e.Value)
}

// keyName is a key of the format.
type keyName = dropin.Key
