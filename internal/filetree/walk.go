// SPDX-License-Identifier: Apache-2.0

// Package filetree works on the files of a tree which root in a container may change meanwhile: it walks, copies,
// digests and removes them through open directories, so that no link and no exchanged directory leads it out. In:
// descriptors and paths below them; out: files, digests and errors without paths that a terminal could not show.
// Whatever makes, checks or packs content calls it.
package filetree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/openat"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// walker visits all that lies in a tree which root in a container may change meanwhile. Each file is opened by its name
// in a directory that is open already, so that no link and no exchanged directory leads it out.
type walker struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	visit   func(fd int, at *Location) error
	tooDeep func(at *Location)
	slots   chan struct{} // one for each directory that is read beside the caller's
	wait    sync.WaitGroup
}

// What a walk holds at once is bounded, whatever root in the container has made: directories below each other, each
// with two descriptors, and names of each.
const (
	MaxDepth    = 1024
	namesAtOnce = 128
)

// ErrTooDeep is returned for a tree that has more directories below each other than MaxDepth.
var ErrTooDeep = fmt.Errorf("there are more than %d directories below each other", MaxDepth)

// Location is where a file lies. Its path is put together when it is asked for: that of each directory would take
// memory by the square of the depth.
type Location struct {
	above *Location // nil for the top of the tree
	Name  string    // the whole path of the top
	depth int
}

// String returns the path.
func (p *Location) String() string {
	var names []string
	for ; p != nil; p = p.above {
		names = append(names, p.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// Walk calls visit for dir and all below it, on all CPUs at once, with a descriptor that stands for the file itself
// (O_PATH). What is mounted in the tree is left out. tooDeep is told of directories with more than maxDepth above them,
// which are not looked into. The first error ends it.
func Walk(ctx context.Context, dir string, visit func(fd int, at *Location) error, tooDeep func(at *Location)) error {
	w := walker{visit: visit, tooDeep: tooDeep, slots: make(chan struct{}, runtime.NumCPU()-1)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	top := &Location{Name: dir}
	if err := visit(fd, top); err != nil {
		unix.Close(fd)
		return err
	}
	w.directory(fd, top)
	w.wait.Wait()
	return context.Cause(w.ctx)
}

// directory visits what lies in a directory, whose descriptor it closes.
func (w *walker) directory(fd int, at *Location) {
	defer unix.Close(fd)
	readable, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		w.cancel(&os.PathError{Op: "open", Path: printable.Quoted(at.String()), Err: err})
		return
	}
	f := os.NewFile(uintptr(readable), at.Name)
	defer f.Close()
	for {
		names, err := f.Readdirnames(namesAtOnce)
		if err != nil && !errors.Is(err, io.EOF) {
			w.cancel(err)
		}
		for _, name := range names {
			if w.ctx.Err() != nil {
				return
			}
			w.entry(fd, &Location{at, name, at.depth + 1})
		}
		if err != nil {
			return
		}
	}
}

func (w *walker) entry(parent int, at *Location) {
	fd, err := openat.In(parent, at.Name)
	if fd < 0 {
		if err != nil {
			w.cancel(&os.PathError{Op: "open", Path: printable.Quoted(at.String()), Err: err})
		}
		return
	}
	var stat unix.Stat_t
	err = errors.Join(unix.Fstat(fd, &stat), w.visit(fd, at))
	isDir := stat.Mode&unix.S_IFMT == unix.S_IFDIR
	if isDir && err == nil && at.depth > MaxDepth {
		w.tooDeep(at)
		isDir = false
	}
	if err != nil || !isDir {
		unix.Close(fd)
		if err != nil {
			w.cancel(err)
		}
		return
	}
	select {
	case w.slots <- struct{}{}:
		w.wait.Go(func() {
			w.directory(fd, at)
			<-w.slots
		})
	default:
		w.directory(fd, at)
	}
}
