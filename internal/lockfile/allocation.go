// SPDX-License-Identifier: Apache-2.0

package lockfile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
)

// Allocation is the right to choose a level or a range of ids. One process has it at a time.
type Allocation struct {
	*Lock
	file *File
	// What others hold, read once: while this process has the right, none is added.
	slots map[int64]mcs.Level
	ids   []Range
}

// Range is a run of numbers of ranges of ids, from the first to the last.
type Range struct{ First, Last uint32 }

// Allocate waits for the right to choose. what names the choice in a warning.
func (f *File) Allocate(ctx context.Context, what string) (*Allocation, error) {
	l, err := f.wait(ctx, allocationByte, what)
	if err != nil {
		return nil, err
	}
	slots, err := readSlots(l.file)
	ids, idsErr := readIDs(l.file)
	if err = errors.Join(err, idsErr); err != nil {
		l.Release()
		return nil, err
	}
	return &Allocation{l, f, slots, ids}, nil
}

// IDs reserves ranges of ids by their numbers; it returns nil when another process holds one of them, or held it when
// the allocation began: that one's config may have come after the configs were read. The reservation outlives the
// allocation.
func (a *Allocation) IDs(wanted Range) (*Lock, error) {
	for _, held := range a.ids {
		if held.First <= wanted.Last && wanted.First <= held.Last {
			return nil, nil
		}
	}
	return a.file.try(idBytes+int64(wanted.First), int64(wanted.Last-wanted.First)+1)
}

// Levels returns the levels that other processes had reserved when the allocation began. Who compares them with configs
// reads those later: a create that ends in between is then seen twice, and not never.
func (a *Allocation) Levels() []mcs.Level { return slices.Collect(maps.Values(a.slots)) }

// Level reserves a level. The reservation outlives the allocation.
func (a *Allocation) Level(level mcs.Level) (*Lock, error) {
	var slot int64
	for {
		if _, taken := a.slots[slot]; !taken {
			break
		}
		slot++
	}
	file, err := a.file.open()
	if err != nil {
		return nil, err
	}
	begin := levelBytes + slot*slotBytes
	free, err := tryBytes(file, begin, 1)
	for _, run := range level.Runs() {
		if err == nil && free {
			free, err = tryBytes(file, begin+1+int64(run.First), int64(run.Last-run.First+1))
		}
	}
	if err == nil && !free {
		err = fmt.Errorf("reserve level %s: its slot in %s is in use", level, file.Name())
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Lock{file}, nil
}

// readSlots reads the levels that other processes hold, by slot.
func readSlots(file *os.File) (map[int64]mcs.Level, error) {
	levels := make(map[int64]mcs.Level)
	err := eachLock(file, levelBytes, idBytes, func(begin, end int64) {
		slot, first := (begin-levelBytes)/slotBytes, (begin-levelBytes)%slotBytes
		level := levels[slot]
		// The first byte is no category.
		if first = max(first, 1); first < end-levelBytes-slot*slotBytes {
			level = level.With(mcs.Run{First: int(first) - 1, Last: int(end-levelBytes-slot*slotBytes) - 2})
		}
		levels[slot] = level
	})
	return levels, err
}

// readIDs reads the ranges of ids that other processes hold.
func readIDs(file *os.File) ([]Range, error) {
	var ids []Range
	err := eachLock(file, idBytes, imageByte, func(begin, end int64) {
		ids = append(ids, Range{uint32(begin - idBytes), uint32(end - idBytes - 1)})
	})
	return ids, err
}

// eachLock calls found for every lock that another process has between two bytes of the file. The kernel names one in a
// region at a time (fcntl(2), F_OFD_GETLK), and not the first.
func eachLock(file *os.File, begin, end int64, found func(begin, end int64)) error {
	if begin >= end {
		return nil
	}
	region := unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET, Start: begin, Len: end - begin}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &region); err != nil {
		return fmt.Errorf("read locks of %s: %w", file.Name(), err)
	}
	if region.Type == unix.F_UNLCK {
		return nil
	}
	found(region.Start, region.Start+region.Len)
	return errors.Join(eachLock(file, begin, region.Start, found), eachLock(file, region.Start+region.Len, end, found))
}
