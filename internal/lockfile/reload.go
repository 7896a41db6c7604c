// SPDX-License-Identifier: Apache-2.0

package lockfile

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Reload is the right to have the host's systemd read units anew. One process has it at a time.
type Reload struct{ *Lock }

// Reload waits for the right to reload. It returns nil when a reload that began after the call has ended meanwhile: it
// has read all that was there to be read.
func (f *File) Reload(ctx context.Context) (*Reload, error) {
	asked, err := sinceBoot()
	if err != nil {
		return nil, err
	}
	l, err := f.wait(ctx, reloadByte, "the reload of systemd")
	if err != nil {
		return nil, err
	}
	var note [8]byte
	if n, _ := l.file.ReadAt(note[:], 0); n == len(note) && binary.LittleEndian.Uint64(note[:]) > uint64(asked) {
		l.Release()
		return nil, nil
	}
	return &Reload{l}, nil
}

// Do calls reload, and when that succeeds notes when it began for those that wait.
func (r *Reload) Do(reload func() error) error {
	begun, err := sinceBoot()
	if err != nil {
		return err
	}
	if err := reload(); err != nil {
		return err
	}
	var note [8]byte
	binary.LittleEndian.PutUint64(note[:], uint64(begun))
	if _, err := r.file.WriteAt(note[:], 0); err != nil {
		return fmt.Errorf("note the reload of systemd: %w", err)
	}
	return nil
}

// sinceBoot returns the time since boot, which is the same for all processes and never set back.
func sinceBoot() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}
