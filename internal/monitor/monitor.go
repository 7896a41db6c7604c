// SPDX-License-Identifier: Apache-2.0

// Package monitor watches a container that is up, in a process as small as can be: the helper, which links libvirt,
// becomes it once its work is done. In: descriptors that the helper opened; out: the console's text, and the exit
// status when the container ends, or when one of its units has failed.
package monitor

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/journalrelay"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/throttle"
)

// File names of the monitor, and of that for a container with leases, which it renews: twice the size, though most of
// it is shared by all. Their arguments are the numbers of the descriptors, in the order of Files, and of the signal for
// Shutdown, and whether the container is to end when a unit of it fails. Of a journal to pass on come two more
// descriptors, and its words.
const (
	Program     = "virt-sandbox-service-monitor"
	DHCPProgram = "virt-sandbox-service-monitor-dhcp"
)

// Files are what a monitor holds.
type Files struct {
	Controller *os.File // pidfd of libvirt's process for the container
	Console    *os.File // the host's end of the console
	Notify     *os.File // datagram socket that the container reports to
	Lock       *os.File // tells others that a monitor lives
	Init       *os.File // pidfd of the container's first process
	Runtime    *os.File // directory with the state of its network

	shutdown unix.Signal // that asks Init for an orderly end
	failing  bool        // whether the container is to end when a unit of it fails

	journal *journalrelay.Source // nil for none to pass on
}

// Open makes Files of the arguments.
func Open(arguments []string) (*Files, error) {
	if len(arguments) < 8 {
		return nil, errors.New("takes six descriptors, a signal and whether to end on a failure, and is " +
			"started by virt-sandbox-service-helper only")
	}
	shutdown, err := strconv.ParseUint(arguments[6], 10, 6)
	if err != nil {
		return nil, err
	}
	failing, err := strconv.ParseBool(arguments[7])
	if err != nil {
		return nil, err
	}
	files, err := descriptors(arguments[:6])
	if err != nil {
		return nil, err
	}
	var journal *journalrelay.Source
	if rest := arguments[8:]; len(rest) > 0 {
		more, err := descriptors(rest[:min(2, len(rest))])
		if err != nil {
			return nil, err
		}
		if journal, err = journalrelay.Parse(more, rest[len(more):]); err != nil {
			return nil, err
		}
	}
	return &Files{
		files[0], files[1], files[2], files[3], files[4], files[5], unix.Signal(shutdown), failing, journal,
	}, nil
}

func descriptors(numbers []string) (files []*os.File, err error) {
	for _, text := range numbers {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, err
		}
		unix.CloseOnExec(int(n))
		files = append(files, os.NewFile(uintptr(n), "descriptor "+text))
	}
	return files, nil
}

// Shutdown asks the container for an orderly end, after which Run returns. One that has ended is not asked.
func (f *Files) Shutdown() {
	_ = proc.Signal(f.Init, f.shutdown)
}

// StatusReboot is the exit status after a reboot from inside, as systemd-nspawn has it; the unit starts the container
// anew.
const StatusReboot = 133

// StatusFailed is the exit status where a unit inside has failed: EX_UNAVAILABLE of sysexits.h, a service that is not
// to be had.
const StatusFailed = 69

// ErrBroken is returned by Run for a container that ended without having said that it would.
var ErrBroken = errors.New("the container broke down: it ended without a shutdown")

// Run passes the console on to out until the container ends and returns the exit status that it reported: 0 for a
// systemd that shut down, StatusReboot for one that rebooted, StatusFailed where a unit of it failed, which ends it.
// Errors: ErrBroken.
func Run(files *Files, out io.Writer) (int, error) {
	journal := files.journal.Start()
	lastWords := lastWordsTimeout
	if files.journal.IsVolatile() {
		lastWords = onlyWordsTimeout
	}
	defer func() { journal.Finish(lastWords) }()
	words := &shared{out: throttle.New(out)}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		buffer := make([]byte, 4096)
		for {
			n, err := files.Console.Read(buffer)
			words.write(buffer[:n])
			if err != nil {
				words.flush()
				return
			}
		}
	}()
	connection, err := net.FileConn(files.Notify)
	if err != nil {
		return 0, err
	}
	told := listener{files: files, words: words, last: -1, failed: make(chan struct{}), ended: make(chan struct{})}
	// The container's systemd sends to it as long as it runs; unread messages would make it wait.
	go told.listen(connection)
	controller, err := proc.End(files.Controller)
	if err != nil {
		return 0, err
	}
	select {
	case err = <-controller:
	case <-told.failed:
		if isUnit() {
			// What its unit does when it stops ends the container. What is not passed on until then is at the next start.
			lastWords = failedWordsTimeout
			if files.journal.IsVolatile() {
				lastWords = volatileWordsTimeout
			}
			return StatusFailed, nil
		}
		files.Shutdown()
		err = <-controller
	}
	if err != nil {
		return 0, err
	}
	// There is nobody left to send more. What is in the socket already is read, however late this process is.
	_ = connection.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	<-told.ended
	told.hear(unread{files.Notify})
	select {
	case <-drained:
	case <-time.After(consoleDrainTimeout):
	}
	switch {
	case told.hasFailed():
		return StatusFailed, nil
	case told.last < 0:
		return 0, ErrBroken
	}
	return told.last, nil
}

// isUnit reports whether systemd runs this process for a unit (systemd.exec(5)).
func isUnit() bool { return os.Getenv("INVOCATION_ID") != "" }

// consoleDrainTimeout is how long the console of a container that has ended may still give something.
const consoleDrainTimeout = 400 * time.Millisecond

// lastWordsTimeout is how long what is left of its journal may take to be passed on.
const lastWordsTimeout = 2 * time.Second

// onlyWordsTimeout is the same where the journal will not be there at the next start, which would pass on the rest.
const onlyWordsTimeout = 10 * time.Second

// failedWordsTimeout is that of a container whose failure is to be told soon.
const failedWordsTimeout = 300 * time.Millisecond

// volatileWordsTimeout is that of such a failure where the journal will not be there at the next start.
const volatileWordsTimeout = time.Second

// Become replaces this process by the monitor program. failing says whether the container is to end when a unit of it
// fails; journal is what is to be passed on, nil for nothing.
func Become(
	ctx context.Context, program string, files []*os.File, shutdown unix.Signal, failing bool,
	journal *journalrelay.Source,
) error {
	arguments := []string{filepath.Base(program)}
	inherit := func(files []*os.File) error {
		for _, f := range files {
			fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, 3)
			if err != nil {
				return err
			}
			arguments = append(arguments, strconv.Itoa(fd))
		}
		return nil
	}
	if err := inherit(files); err != nil {
		return err
	}
	arguments = append(arguments, strconv.Itoa(int(shutdown)), strconv.FormatBool(failing))
	if journal != nil {
		if err := inherit(journal.Files()); err != nil {
			return err
		}
		arguments = append(arguments, journal.Arguments()...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// What it runs reads what a container has written. The property is the thread's that executes the program.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	// A huge page would make it twice as large.
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	// A garbage collector that has little to do need not keep threads and memory for it.
	// Should it fail, that is to be a signal for systemd and no exit status, which would be the container's.
	return unix.Exec(program, arguments, append(os.Environ(), "GOMAXPROCS=1", "GOGC=20", "GOTRACEBACK=crash"))
}
