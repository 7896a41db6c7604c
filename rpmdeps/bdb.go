// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"

	"github.com/knqyf263/go-rpmdb/pkg/bdb"
)

// Types of a page of a Berkeley DB hash that the library has no name for, and of an item on a page (src/dbinc/db_page.h
// in its sources).
const (
	bdbUnused = 0

	bdbInline   = 1
	bdbOverflow = 3
)

// bdbFile is a Berkeley DB hash, whose pages have the byte order of the host that made it.
type bdbFile struct {
	file     *os.File
	pageSize uint32
	swapped  bool
	order    binary.ByteOrder
}

// bdbHeaders visits the header of each package. It goes through the pages itself, as the library's own reader can't be
// stopped and ends the program on a damaged file.
func bdbHeaders(f *os.File, visit func(number uint32, blob []byte) error) error {
	start := make([]byte, 512)
	if _, err := f.ReadAt(start, 0); err != nil {
		return err
	}
	meta, err := bdb.ParseHashMetadataPage(start)
	if err != nil {
		return err
	}
	if meta.PageSize < 512 || meta.PageSize > 1<<16 || bits.OnesCount32(meta.PageSize) != 1 {
		return fmt.Errorf("it has pages of %d bytes", meta.PageSize)
	}
	b := bdbFile{f, meta.PageSize, meta.Swapped, binary.LittleEndian}
	if b.swapped {
		b.order = binary.BigEndian
	}
	for number := uint32(1); number <= meta.LastPageNo; number++ {
		page, head, err := b.page(number)
		if err != nil {
			return err
		}
		switch head.PageType {
		case bdb.HashPageType, bdb.HashUnsortedPageType:
			err = b.items(page, int(head.NumEntries), visit)
		case bdb.OverflowPageType, bdbUnused:
		default:
			err = fmt.Errorf("it is of the type %d", head.PageType)
		}
		if err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
	}
	return nil
}

func (b bdbFile) page(number uint32) ([]byte, *bdb.HashPage, error) {
	page := make([]byte, b.pageSize)
	if _, err := b.file.ReadAt(page, int64(number)*int64(b.pageSize)); err != nil {
		return nil, nil, fmt.Errorf("page %d: %w", number, err)
	}
	head, err := bdb.ParseHashPage(page, b.swapped)
	return page, head, err
}

// items visits the pairs of a key, which is a header's number, and a value on a page. They are laid out from its end.
func (b bdbFile) items(page []byte, count int, visit func(number uint32, blob []byte) error) error {
	var key []byte
	end := len(page)
	for i := range count {
		place := bdb.PageHeaderSize + i*bdb.HashIndexEntrySize
		if place+bdb.HashIndexEntrySize > end {
			return fmt.Errorf("it has no room for %d items", count)
		}
		start := int(b.order.Uint16(page[place:]))
		if start < place || start >= end {
			return fmt.Errorf("its item %d is damaged", i)
		}
		item := page[start:end]
		end = start
		if i%2 == 0 {
			key = item
			continue
		}
		if len(key) != 5 || key[0] != bdbInline {
			return fmt.Errorf("the key of its item %d is no number of a header", i)
		}
		number := b.order.Uint32(key[1:])
		if number == 0 { // under which rpm keeps the next number
			continue
		}
		blob, err := b.value(item)
		if err != nil {
			return fmt.Errorf("header %d: %w", number, err)
		}
		if err := visit(number, blob); err != nil {
			return err
		}
	}
	return nil
}

func (b bdbFile) value(item []byte) ([]byte, error) {
	switch {
	case item[0] == bdbInline:
		return item[1:], nil
	case item[0] != bdbOverflow || len(item) != bdb.HashOffPageSize:
		return nil, fmt.Errorf("its place is damaged")
	}
	entry, err := bdb.ParseHashOffPageEntry(item, b.swapped)
	if err != nil {
		return nil, err
	}
	if entry.Length > headerMax {
		return nil, fmt.Errorf("it has %d bytes, which is too much", entry.Length)
	}
	var blob []byte
	for number := entry.PageNo; len(blob) < int(entry.Length); {
		page, head, err := b.page(number)
		if err != nil {
			return nil, err
		}
		used := int(head.FreeAreaOffset)
		if head.PageType != bdb.OverflowPageType || used == 0 || bdb.PageHeaderSize+used > len(page) {
			return nil, fmt.Errorf("page %d is damaged", number)
		}
		blob = append(blob, page[bdb.PageHeaderSize:bdb.PageHeaderSize+used]...)
		number = head.NextPageNo
	}
	return blob, nil
}
