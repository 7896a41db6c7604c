// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/health"
	"github.com/virt-sandbox/virt-sandbox/internal/notify"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/report"
	"github.com/virt-sandbox/virt-sandbox/internal/throttle"
)

// shared is what goroutines write to for the journal, made harmless.
type shared struct {
	mu  sync.Mutex
	out *throttle.Writer
}

func (s *shared) write(text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.out.Write(printable.Bytes(text))
}

func (s *shared) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.Flush()
}

// listener hears what the container reports.
type listener struct {
	files *Files
	words *shared
	last  int // exit status that it reported; -1 for none

	health string // what it reported last

	failed chan struct{} // closed when a unit of the sandbox has failed, and is to end it
	ended  chan struct{} // closed when nothing more is heard
}

// listen reads messages until the deadline of the connection, or its end.
func (l *listener) listen(connection net.Conn) {
	defer close(l.ended)
	l.hear(connection)
}

// unread is what has come to a socket and nobody has read.
type unread struct{ socket *os.File }

// Read reads one message. Errors: unix.EAGAIN after the last.
func (u unread) Read(message []byte) (int, error) {
	n, _, err := unix.Recvfrom(int(u.socket.Fd()), message, unix.MSG_DONTWAIT)
	return max(n, 0), err
}

// hear reads messages until that fails.
func (l *listener) hear(messages io.Reader) {
	_ = report.Read(messages, func(name, value string) bool {
		if status := exitStatus(name, value, l.last); status != l.last {
			l.note(Told, strconv.Itoa(status))
			l.last = status
		}
		switch name {
		case report.Failed:
			l.unitFailed(value)
		case report.Degraded:
			l.note(Degraded, value)
		case report.Health:
			if value != l.health && health.IsVerdict(value) {
				l.note(Health, value)
				l.health = value
			}
		}
		return true
	})
}

func (l *listener) hasFailed() bool {
	select {
	case <-l.failed:
		return true
	default:
		return false
	}
}

// maxReason bounds what is told of a failure, in bytes.
const maxReason = 512

// unitFailed tells of a unit of the sandbox that failed, once, and has the container ended unless it is to go on. In a
// shutdown it does not count.
func (l *listener) unitFailed(value string) {
	if !l.files.failing {
		l.note(Degraded, value)
		return
	}
	if l.last >= 0 || l.hasFailed() {
		return
	}
	unit, result, _ := strings.Cut(value, " ")
	// First of all: whoever finds that this process was killed goes by it.
	l.note(Failed, unit)
	reason := printable.Short(fmt.Sprintf("%s inside failed (%s)", unit, result), maxReason)
	l.words.write([]byte(reason + "\n"))
	l.words.flush()
	notify.Status(reason)
	close(l.failed)
}

// Names of files in the runtime directory.
const (
	// Failed has the name of the unit that ended the container.
	Failed = "failed"
	// Told has the exit status that the container has told of, once it ends.
	Told = "told"
	// Degraded is there when something inside has failed: whoever wants to know asks inside.
	Degraded = "degraded"
	// Health has the last verdict of package health.
	Health = "health"
)

// note writes a file of the runtime directory. Whoever finds that this process was killed meanwhile reads the text
// before or the new one, never half of it. Who looks for it finds the failure otherwise too, if later.
func (l *listener) note(name, text string) {
	if l.files.Runtime == nil {
		return
	}
	dir, draft := int(l.files.Runtime.Fd()), "."+name
	fd, err := unix.Openat(dir, draft, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), draft)
	defer f.Close()
	if _, err := f.WriteString(printable.Short(text, maxReason)); err != nil {
		return
	}
	_ = account.ShareOpen(f)
	_ = unix.Renameat(dir, draft, dir, name)
}

// exitStatus takes from a field of a container's message how it ends: EXIT_STATUS= or STOPPING= of sd_notify(3), or our
// own X_REBOOT=. last is what it said before.
func exitStatus(name, value string, last int) int {
	switch name {
	case "EXIT_STATUS":
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil || last == StatusReboot {
			// A newer systemd says EXIT_STATUS=0 after all else, of a reboot too.
			return last
		}
		return int(n)
	case "X_REBOOT":
		return StatusReboot
	case "STOPPING":
		return max(last, 0)
	}
	return last
}
