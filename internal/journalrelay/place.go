// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
)

// place is how far a journal was passed on: to an entry, by its cursor and its time.
type place struct {
	cursor string
	time   uint64 // microseconds since 1970; 0: nothing was
}

// Bounds of a place, in bytes. That of a file is written in one piece.
const (
	maxCursor = 384
	placeSize = 512
)

// isCursor reports whether a text can be a cursor, which names an entry to a program as root inside likes.
func isCursor(text string) bool {
	return text != "" && len(text) <= maxCursor && ascii.Consists(text, "=;")
}

// readPlace reads what writePlace wrote; the zero value for anything else.
func readPlace(file *os.File) place {
	text := make([]byte, placeSize)
	n, _ := file.ReadAt(text, 0)
	words := strings.Fields(string(text[:n]))
	if len(words) != 2 || !isCursor(words[1]) {
		return place{}
	}
	time, err := strconv.ParseUint(words[0], 10, 63)
	if err != nil {
		return place{}
	}
	return place{words[1], time}
}

// writePlace keeps a place over a kill of this process: the kernel has it when the call returns. It is not written out,
// which would cost more than all else.
func writePlace(file *os.File, p place) error {
	_, err := file.WriteAt(fmt.Appendf(nil, "%-*s\n", placeSize-1, fmt.Sprintf("%d %s", p.time, p.cursor)), 0)
	return err
}
