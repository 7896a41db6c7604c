package content

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// walker visits all that lies in a tree which root in a container may change meanwhile. Each file is opened by its name in
// a directory that is open already, so that no link and no exchanged directory leads it out.
type walker struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	visit  func(fd int, path string) error
	slots  chan struct{} // one for each directory that is read beside the caller's
	wait   sync.WaitGroup
}

// walkTree calls visit for dir and all below it, on all CPUs at once, with a descriptor that stands for the file itself
// (O_PATH). What is mounted in the tree is left out. The first error ends it.
func walkTree(ctx context.Context, dir string, visit func(fd int, path string) error) error {
	w := walker{visit: visit, slots: make(chan struct{}, runtime.NumCPU()-1)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if err := visit(fd, dir); err != nil {
		unix.Close(fd)
		return err
	}
	w.directory(fd, dir)
	w.wait.Wait()
	return context.Cause(w.ctx)
}

// directory visits what lies in a directory, whose descriptor it closes.
func (w *walker) directory(fd int, dir string) {
	defer unix.Close(fd)
	names, err := namesIn(fd, dir)
	if err != nil {
		w.cancel(err)
	}
	for _, name := range names {
		if w.ctx.Err() != nil {
			return
		}
		w.entry(fd, name, filepath.Join(dir, name))
	}
}

func (w *walker) entry(parent int, name, path string) {
	fd, err := openIn(parent, name)
	if fd < 0 {
		if err != nil {
			w.cancel(&os.PathError{Op: "open", Path: printable(path), Err: err})
		}
		return
	}
	var stat unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &stat), w.visit(fd, path)); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		unix.Close(fd)
		if err != nil {
			w.cancel(err)
		}
		return
	}
	select {
	case w.slots <- struct{}{}:
		w.wait.Go(func() {
			w.directory(fd, path)
			<-w.slots
		})
	default:
		w.directory(fd, path)
	}
}

// openIn opens what has a path below a directory, without following a link; -1 and no error for what is gone, behind a
// link or mounted there.
func openIn(parent int, path string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(parent, path, &how)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.EAGAIN):
			// Something was renamed while the kernel looked.
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
			return -1, nil
		default:
			return -1, err
		}
	}
}

func namesIn(fd int, dir string) ([]string, error) {
	readable, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: printable(dir), Err: err}
	}
	f := os.NewFile(uintptr(readable), dir)
	defer f.Close()
	return f.Readdirnames(-1)
}
