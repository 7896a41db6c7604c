// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// fileReader reads a Unix socket and keeps the files that come along.
type fileReader struct {
	*net.UnixConn
	files []*os.File
}

// maxFiles is how many files come with one frame at most.
const maxFiles = streams

// Read implements io.Reader.
func (r *fileReader) Read(p []byte) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, control, _, _, err := r.ReadMsgUnix(p, oob)
	if control > 0 {
		if err := r.take(oob[:control]); err != nil {
			return n, err
		}
	}
	if n == 0 && err == nil && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}

func (r *fileReader) take(control []byte) error {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return fmt.Errorf("receive files: %w", err)
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return fmt.Errorf("receive files: %w", err)
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			r.files = append(r.files, os.NewFile(uintptr(fd), "stream"))
		}
	}
	if len(r.files) > maxFiles {
		r.closeFiles()
		return fmt.Errorf("%w: too many files", ErrProtocol)
	}
	return nil
}

func (r *fileReader) closeFiles() {
	for _, f := range r.files {
		f.Close()
	}
	r.files = nil
}

// sendFiles sends a frame and files with it.
func sendFiles(connection *net.UnixConn, f frame, files []*os.File) error {
	fds := make([]int, 0, len(files))
	for _, file := range files {
		fds = append(fds, int(file.Fd()))
	}
	_, _, err := connection.WriteMsgUnix(appendFrame(nil, f), unix.UnixRights(fds...), nil)
	if err != nil {
		return fmt.Errorf("hand files over: %w", err)
	}
	return nil
}
