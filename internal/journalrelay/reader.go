// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/openat"
)

// Kept is the directory of the journal of a container below its content.
func Kept(machineID string) string { return "var/log/journal/" + machineID }

// Volatile is the directory, below /run of a container, of a journal that ends with it.
func Volatile(machineID string) string { return "log/journal/" + machineID }

// IsVolatile reports whether the journal ends with the container. A nil Source has none.
func (s *Source) IsVolatile() bool { return s != nil && strings.HasPrefix(s.Dir, Volatile("")) }

// Open opens the directory of a container's journal, without following a link that its root may have put there.
// Errors: fs.ErrNotExist.
func Open(below *os.File, dir string) (*os.File, error) {
	fd, err := openat.In(int(below.Fd()), dir)
	if fd < 0 {
		return nil, fmt.Errorf("open journal: %w", cmp.Or(err, fs.ErrNotExist))
	}
	opened := os.NewFile(uintptr(fd), "journal")
	if info, err := opened.Stat(); err != nil || !info.IsDir() {
		opened.Close()
		return nil, fmt.Errorf("open journal: %w", cmp.Or(err, fs.ErrNotExist))
	}
	return opened, nil
}

// Nobody is the user, and the group, that owns nothing.
const Nobody = 65534

// Readers is the name of the group that may read journals.
const Readers = "systemd-journal"

// Directory is the option of journalctl(1) for the directory that is its descriptor 3: its own link is the only way for
// nobody to where the content lies.
const Directory = "--directory=/proc/self/fd/3"

// Rights are those of a process that reads a journal: of a user who may do nothing but that, in the group of Readers.
func Rights(readers uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: Nobody, Gid: readers}}
}

// maxData is what a reader may have of memory of its own, in bytes: root inside says how long a field is.
const maxData = 256 << 20

// bound has readers that this process starts end where they take too much, and leave no core dump when a damaged file
// ends them. The monitor, which takes a hundredth, is bound too.
func bound() {
	_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: maxData, Max: maxData})
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// reader is a journalctl(1) beside which somebody else's processes run: it sees no network and no process but itself. A
// set-user-ID program gives it nothing, since this process has PR_SET_NO_NEW_PRIVS. Package os/exec, or a thread for
// each reader, would take more memory than all else here.
type reader struct {
	out     *os.File
	process *os.Process
}

// startReader starts a reader of a directory of journal files.
func startReader(dir *os.File, readers uint32, args []string) (*reader, error) {
	program, err := find("journalctl")
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	attributes := os.ProcAttr{
		Dir: "/", Env: []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}, Files: []*os.File{null, in, null, dir},
		Sys: Rights(readers),
	}
	attributes.Sys.Cloneflags = unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWPID
	process, err := os.StartProcess(program, append([]string{program, Directory}, args...), &attributes)
	if err != nil {
		out.Close()
		return nil, err
	}
	return &reader{out, process}, nil
}

// end waits for the end of a reader, and returns what it took of a processor, and whether it failed.
func (r *reader) end() (took time.Duration, failed bool) {
	state, err := r.process.Wait()
	r.out.Close()
	if err != nil {
		return 0, true
	}
	return state.UserTime() + state.SystemTime(), !state.Success()
}

// find looks for a program as execvp(3) does.
func find(program string) (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file := filepath.Join(dir, program)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", &os.PathError{Op: "find", Path: program, Err: fs.ErrNotExist}
}
