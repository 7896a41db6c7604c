// Package monitor watches a container that is up, in a process as small as can be: the helper, which links libvirt,
// becomes it once its work is done. In: descriptors that the helper opened; out: the console's text, and the exit status
// when the container ends.
package monitor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Program is the file name of the monitor; its arguments are the numbers of the descriptors, in the order of Files.
const Program = "virt-sandbox-service-monitor"

// Files are what a monitor holds.
type Files struct {
	Controller *os.File // pidfd of libvirt's process for the container
	Console    *os.File // the host's end of the console
	Notify     *os.File // datagram socket that the container reports to
	Lock       *os.File // tells others that a monitor lives
}

// Open makes Files of descriptor numbers.
func Open(numbers []string) (*Files, error) {
	if len(numbers) != 4 {
		return nil, errors.New("takes four descriptors and is started by virt-sandbox-service-helper only")
	}
	var files [4]*os.File
	for i, text := range numbers {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, err
		}
		unix.CloseOnExec(int(n))
		files[i] = os.NewFile(uintptr(n), "descriptor "+text)
	}
	return &Files{files[0], files[1], files[2], files[3]}, nil
}

// Run passes the console on to out until the container ends and returns the exit status that it reported; 0 where it
// reported none.
func Run(files *Files, out io.Writer) (int, error) {
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := files.Console.Read(buffer)
			_, _ = out.Write(Printable(buffer[:n]))
			if err != nil {
				return
			}
		}
	}()
	statuses := make(chan int, 1)
	connection, err := net.FileConn(files.Notify)
	if err != nil {
		return 0, err
	}
	// The container's systemd sends to it as long as it runs; unread messages would make it wait.
	go func() {
		last := 0
		buffer := make([]byte, 4096)
		for {
			n, err := connection.Read(buffer)
			if err != nil {
				statuses <- last
				return
			}
			last = exitStatus(buffer[:n], last)
		}
	}()
	if err := awaitEnd(files.Controller); err != nil {
		return 0, err
	}
	// Messages that are in the socket already are read; there is nobody left to send more.
	_ = connection.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	return <-statuses, nil
}

// awaitEnd waits for a process by its pidfd.
func awaitEnd(controller *os.File) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(controller.Fd()), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// exitStatus reads EXIT_STATUS= of sd_notify(3) from a message of the container.
func exitStatus(message []byte, last int) int {
	for l := range bytes.Lines(message) {
		if value, found := bytes.CutPrefix(bytes.TrimSpace(l), []byte("EXIT_STATUS=")); found {
			if n, err := strconv.ParseUint(string(value), 10, 8); err == nil {
				return int(n)
			}
		}
	}
	return last
}

// Printable keeps a container from sending escape sequences to whoever reads what it says: control characters but line
// feeds and tabs become question marks, carriage returns go.
func Printable(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return -1
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f, r >= 0x80 && r < 0xa0:
			return '?'
		}
		return r
	}, text)
}

// Become replaces this process by the monitor program.
func Become(ctx context.Context, program string, files []*os.File) error {
	arguments := []string{Program}
	for _, f := range files {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, 3)
		if err != nil {
			return err
		}
		arguments = append(arguments, strconv.Itoa(fd))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// A garbage collector that has little to do need not keep threads and memory for it.
	return unix.Exec(program, arguments, append(os.Environ(), "GOMAXPROCS=1", "GOGC=20"))
}
