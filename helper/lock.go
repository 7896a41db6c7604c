package helper

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile is shared by all sandboxes: each locks one byte of it, so that no file per name stays behind. The kernel frees
// the lock of a process that dies.
const lockFile = "/run/virt-sandbox.lock"

// allocationByte is locked while a level is chosen, reloadByte while systemd reloads; levelBytes and idBytes begin the bytes
// of levels and ranges of ids that no config tells of yet. Names hash to what lies above all.
const (
	allocationByte = 0
	reloadByte     = 1
	levelBytes     = 2
	idBytes        = 1 << 32
	nameBytes      = 1 << 40
)

type lock struct{ file *os.File }

// release frees the lock; of the zero value it does nothing.
func (l *lock) release() {
	if l.file != nil {
		l.file.Close()
	}
}

// lockName waits until nobody else works on the sandbox.
func (m *Manager) lockName(ctx context.Context, name string) (*lock, error) {
	return m.lockByte(ctx, nameByte(name), name)
}

// nameByte is the place of a name in the lock file.
func nameByte(name string) int64 {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return nameBytes + int64(hash.Sum64()>>2)
}

// tryReservation locks the bytes that stand for what is to be one container's alone; nil when another has some of them.
func (m *Manager) tryReservation(offset, length int64) (*lock, error) {
	file, err := m.openLockFile()
	if err != nil {
		return nil, err
	}
	taken, err := tryBytes(file, offset, length)
	if err != nil || !taken {
		file.Close()
		return nil, err
	}
	return &lock{file}, nil
}

func (m *Manager) openLockFile() (*os.File, error) {
	lockFile := m.Host.Root + lockFile
	if err := os.MkdirAll(filepath.Dir(lockFile), 0o755); err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	file, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	return file, nil
}

// tryBytes locks a part of the lock file; false when a part of that is another's.
func tryBytes(file *os.File, offset, length int64) (bool, error) {
	region := unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET, Start: offset, Len: length}
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &region)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock bytes from %d of %s: %w", offset, file.Name(), err)
	}
	return true, nil
}

func (m *Manager) lockByte(ctx context.Context, offset int64, what string) (*lock, error) {
	file, err := m.openLockFile()
	if err != nil {
		return nil, err
	}
	for begun, told := time.Now(), false; ; {
		taken, err := tryBytes(file, offset, 1)
		if taken {
			return &lock{file}, nil
		}
		if err != nil {
			file.Close()
			return nil, err
		}
		if !told && time.Since(begun) > time.Second {
			m.Warn("waiting for another command that works on %s", what)
			told = true
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", what, ctx.Err())
		// Who has waited long asks more seldom, and not with the others: hundreds that ask keep the one who works from the CPU.
		case <-time.After(20*time.Millisecond + rand.N(1+min(time.Since(begun)/2, time.Second))):
		}
	}
}
