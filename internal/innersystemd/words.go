// SPDX-License-Identifier: Apache-2.0

package innersystemd

import "github.com/virt-sandbox/virt-sandbox/internal/printable"

// How much of what a container says leaves this package, in bytes and names. A unit's name has 255 at most.
const (
	maxWord     = 256
	maxSentence = 1024
	maxNames    = 1000
)

// word and sentence make text of a container harmless: one line, of which nobody takes a part for a field, an escape
// sequence or an end of a line. All text that the package returns has passed one of them.
func word(text string) string { return printable.Short(text, maxWord) }

func sentence(text string) string { return printable.Short(text, maxSentence) }
