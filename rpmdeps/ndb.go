// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The file of rpm's own database format, of little-endian numbers (lib/backend/ndb/rpmpkg.c in rpm's sources): pages of
// slots, the first two of which are the header of the file, and the headers of the packages where the slots say.
const (
	ndbMagic     = "RpmP"
	ndbSlotMagic = "Slot"
	ndbBlobMagic = "BlbS"
	ndbPageSize  = 4096
	ndbSlotSize  = 16
	ndbMaxPages  = 2048
)

// ndbHeaders visits the header of each package, under the lock that keeps rpm from writing meanwhile.
func ndbHeaders(f *os.File, visit func(number uint32, blob []byte) error) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	start := make([]byte, 2*ndbSlotSize)
	if _, err := f.ReadAt(start, 0); err != nil {
		return err
	}
	version, pages := binary.LittleEndian.Uint32(start[4:]), binary.LittleEndian.Uint32(start[12:])
	if !bytes.HasPrefix(start, []byte(ndbMagic)) || version != 0 || pages == 0 || pages > ndbMaxPages {
		return fmt.Errorf("it is no ndb file of version 0, or has %d pages of slots", pages)
	}
	slots := make([]byte, pages*ndbPageSize)
	if _, err := f.ReadAt(slots, 0); err != nil {
		return fmt.Errorf("slots: %w", err)
	}
	for slot := slots[2*ndbSlotSize:]; len(slot) > 0; slot = slot[ndbSlotSize:] {
		if !bytes.HasPrefix(slot, []byte(ndbSlotMagic)) {
			return fmt.Errorf("slot %d is damaged", (len(slots)-len(slot))/ndbSlotSize)
		}
		number, block := binary.LittleEndian.Uint32(slot[4:]), binary.LittleEndian.Uint32(slot[8:])
		if number == 0 {
			continue
		}
		blob, err := ndbBlob(f, number, int64(block)*ndbSlotSize)
		if err != nil {
			return fmt.Errorf("header %d: %w", number, err)
		}
		if err := visit(number, blob); err != nil {
			return err
		}
	}
	return nil
}

func ndbBlob(f *os.File, number uint32, offset int64) ([]byte, error) {
	var head [ndbSlotSize]byte
	if _, err := f.ReadAt(head[:], offset); err != nil {
		return nil, err
	}
	owner, size := binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint32(head[12:])
	if !bytes.HasPrefix(head[:], []byte(ndbBlobMagic)) || owner != number || size > headerMax {
		return nil, fmt.Errorf("its place at %d is damaged", offset)
	}
	blob := make([]byte, size)
	_, err := f.ReadAt(blob, offset+ndbSlotSize)
	return blob, err
}
