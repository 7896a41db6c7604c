// SPDX-License-Identifier: Apache-2.0

package lockfile

import (
	"hash/fnv"

	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
)

// The map of the file, as offsets of bytes. A byte stands for what may be one process's at a time. The first eight
// bytes also hold the time of the last reload of the host's systemd: locks are advisory, so text and locks do not meet.
//
//	0            held while a level or a range of ids is chosen
//	1            held while systemd reloads
//	2 …          levels of sandboxes that are being made, slotBytes each
//	idBytes …    ranges of ids of sandboxes that are being made, one byte for each range
//	imageByte    held while images are claimed
//	nameBytes …  names of sandboxes, by their hash
const (
	allocationByte = 0
	reloadByte     = 1
	levelBytes     = 2
	idBytes        = 1 << 32
	imageByte      = nameBytes - 1
	nameBytes      = 1 << 40
)

// slotBytes is the distance of two levels. A level is a byte for being there and one for each category behind it, so
// that the level of a create in progress can be read from the locks, and is gone with its process.
const slotBytes = 2 * mcs.Categories

// nameByte returns the byte that stands for a name.
func nameByte(name string) int64 {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return nameBytes + int64(hash.Sum64()>>2)
}
