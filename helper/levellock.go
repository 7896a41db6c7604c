package helper

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
)

// slotBytes is the distance of two levels in the lock file. A level is a byte for being there and one for each category
// behind it, so that the level of a create in progress can be read from the locks, and is gone with its process.
const slotBytes = 2 * mcs.Categories

// holdLevel locks the bytes of a level in a slot that nobody has; the caller holds the lock on allocation.
func (m *Manager) holdLevel(level mcs.Level, slot int64) (*lock, error) {
	file, err := m.openLockFile()
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
	return &lock{file}, nil
}

// levelsBeingMade reads the levels that others hold, and gives the first slot that is free.
func levelsBeingMade(file *os.File) (uses []levelUse, free int64, err error) {
	levels := make(map[int64]mcs.Level)
	err = eachLock(file, levelBytes, idBytes, func(begin, end int64) {
		slot, first := (begin-levelBytes)/slotBytes, (begin-levelBytes)%slotBytes
		level := levels[slot]
		// The first byte is no category.
		if first = max(first, 1); first < end-levelBytes-slot*slotBytes {
			level = level.With(mcs.Run{First: int(first) - 1, Last: int(end-levelBytes-slot*slotBytes) - 2})
		}
		levels[slot] = level
	})
	for _, level := range levels {
		uses = append(uses, levelUse{level, "a sandbox that is being created"})
	}
	for {
		if _, found := levels[free]; !found {
			return uses, free, err
		}
		free++
	}
}

// eachLock calls found for every lock that another has between two bytes of the file. The kernel tells of one in a region
// at a time (fcntl(2), F_OFD_GETLK), and not of the first.
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
