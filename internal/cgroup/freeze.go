// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// freezeLimit is how long the kernel may take to freeze all processes of a container.
	freezeLimit = 10 * time.Second
	// freezeAgain is after how long it is asked anew: with version 1, one that makes processes all the time can stay
	// half way for good.
	freezeAgain = 500 * time.Millisecond
)

// Freezer is the directory of the group that freezes a container: of version 2, or of the freezer of version 1.
type Freezer string

// Freezer finds the group that all processes of a sandbox are in, and no others.
func (g Groups) Freezer(sandbox string) (Freezer, error) {
	for _, hierarchy := range []string{"freezer", ""} {
		if dir, found := g.dirs[hierarchy]; found {
			if whole := wholeOf(dir, sandbox); whole != "" {
				return Freezer(whole), nil
			}
		}
	}
	return "", errors.New("it has no cgroup that can be frozen")
}

// IsFrozen reports whether all processes of the group stand still, whoever has frozen it or one above it.
func (f Freezer) IsFrozen() bool { return f.isFrozen(f.words()) }

// Processes lists the processes of the group and of all groups below it.
func (f Freezer) Processes() (pids []int, err error) {
	err = filepath.WalkDir(string(f), func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return ignoreGone(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
		return ignoreGone(err)
	})
	if err != nil {
		return nil, fmt.Errorf("list the processes of a container: %w", err)
	}
	return pids, nil
}

// ignoreGone leaves out that a group has gone, or is of threads, whose processes stand above it.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// words are what the files of a freezer are told and tell.
type words struct {
	control, frozen, thawed string
	state, isFrozen         string        // the file that tells, and its line once all processes stand still
	patience                time.Duration // after which the kernel is asked anew
}

func (f Freezer) words() words {
	if _, err := os.Stat(filepath.Join(string(f), "freezer.state")); err == nil {
		return words{"freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN", freezeAgain}
	}
	return words{"cgroup.freeze", "1", "0", "cgroup.events", "frozen 1", freezeLimit}
}

// Freeze returns once all processes of the group stand still. They may be frozen in part after an error: Thaw then.
func (f Freezer) Freeze(ctx context.Context) error {
	w := f.words()
	for begun := time.Now(); time.Since(begun) < freezeLimit; {
		if err := f.write(w.control, w.frozen); err != nil {
			return err
		}
		if frozen, err := f.awaitFrozen(ctx, w); frozen || err != nil {
			return err
		}
		if err := f.Thaw(); err != nil {
			return err
		}
	}
	return fmt.Errorf("a process of it does not halt within %v", freezeLimit)
}

func (f Freezer) awaitFrozen(ctx context.Context, w words) (frozen bool, err error) {
	for begun := time.Now(); !f.isFrozen(w); {
		if time.Since(begun) > w.patience {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true, nil
}

func (f Freezer) isFrozen(w words) bool {
	text, err := os.ReadFile(filepath.Join(string(f), w.state))
	return err == nil && strings.Contains("\n"+string(text), "\n"+w.isFrozen+"\n")
}

// Thaw lets the processes of the group run on. One that is gone has none.
func (f Freezer) Thaw() error {
	w := f.words()
	err := f.write(w.control, w.thawed)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// Thaw lets all processes of a sandbox run on, whoever froze them: all groups of both versions are thawed, since root
// inside can freeze those that it sees. With version 1 what is frozen cannot be ended either. It does what it can.
func (g Groups) Thaw(sandbox string) {
	for _, hierarchy := range []string{"freezer", ""} {
		dir, found := g.dirs[hierarchy]
		if top := wholeOf(dir, sandbox); found && top != "" {
			_ = filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
				if err == nil && e.IsDir() {
					_ = Freezer(p).Thaw()
				}
				return nil
			})
		}
	}
}

// thawAgain is how often a container is thawed that is being ended by force.
const thawAgain = 50 * time.Millisecond

// KeepThawed calls Thaw again and again until end is called, since root inside may freeze itself as often.
func (g Groups) KeepThawed(sandbox string) (end func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			g.Thaw(sandbox)
			select {
			case <-ended:
				return
			case <-time.After(thawAgain):
			}
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}

func (f Freezer) write(file, word string) error {
	return os.WriteFile(filepath.Join(string(f), file), []byte(word), 0o644)
}
