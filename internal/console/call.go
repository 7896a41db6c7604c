// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// ErrLost is returned by Wait where the end inside went away without an exit status.
var ErrLost = errors.New("the sandbox ended before its command did")

// Caller is the end of the one who called the command.
type Caller struct {
	// Stdin takes what the command reads. Closing it is the end of file, but for a terminal, where nothing is.
	Stdin io.WriteCloser
	// Stdout and Stderr give what the command writes. Stderr is empty where a terminal shows both. Closing one has the
	// command's next write fail.
	Stdout, Stderr io.ReadCloser

	link    *link
	senders [streams]*sender
	readers [streams]*receiver
	ended   chan struct{}
	exit    Exit
	err     error
}

// Greet waits until the end inside is there. A connection on which nobody speaks ends by its deadline or by being
// closed.
func Greet(connection io.ReadWriteCloser) error {
	f, err := readFrame(connection, make([]byte, MaxPayload))
	if err != nil {
		return fmt.Errorf("wait for the sandbox: %w", lost(err))
	}
	return checkHello(f)
}

// Call has the end inside start the command, after Greet. With Files the connection must be a *net.UnixConn.
func Call(connection io.ReadWriteCloser, start Start) (*Caller, error) {
	var socket *net.UnixConn
	if start.Files {
		socket = connection.(*net.UnixConn)
	}
	c := &Caller{link: &link{connection: connection}, ended: make(chan struct{})}
	if err := errors.Join(c.link.send(helloFrame()), c.link.send(start.frame())); err != nil {
		return nil, fmt.Errorf("call the sandbox: %w", lost(err))
	}
	reader := &fileReader{UnixConn: socket}
	var input io.Reader = connection
	if start.Files {
		input = reader
	}
	buffer := make([]byte, MaxPayload)
	f, err := readFrame(input, buffer)
	if err != nil {
		reader.closeFiles()
		return nil, fmt.Errorf("call the sandbox: %w", lost(err))
	}
	switch {
	case f.kind == kindExit:
		c.Stdin, c.Stdout, c.Stderr = nothing{}, nothing{}, nothing{}
		c.finish(f)
		close(c.ended)
		return c, nil
	case f.kind != kindReady:
		reader.closeFiles()
		return nil, fmt.Errorf("call the sandbox: %w: a frame of kind %d before it is ready", ErrProtocol, f.kind)
	case start.Files:
		err = c.takeFiles(start, reader.files)
	default:
		c.senders[streamIn] = newSender(c.link, streamIn)
		c.readers[streamOut], c.readers[streamErr] = newReceiver(c.link, streamOut), newReceiver(c.link, streamErr)
		c.Stdin, c.Stdout, c.Stderr = c.senders[streamIn], c.readers[streamOut], c.readers[streamErr]
	}
	if err != nil {
		reader.closeFiles()
		return nil, err
	}
	reader.files = nil
	go c.listen(input, reader, buffer)
	return c, nil
}

// takeFiles makes the streams of the files that came with ready.
func (c *Caller) takeFiles(start Start, files []*os.File) error {
	want := streams
	if start.Terminal {
		want = 1
		if start.ErrorApart {
			want = 2
		}
	}
	if len(files) != want {
		return fmt.Errorf("call the sandbox: %w: %d files instead of %d", ErrProtocol, len(files), want)
	}
	c.Stderr = nothing{}
	if start.Terminal {
		c.Stdin, c.Stdout = keptOpen{files[0]}, terminal{files[0]}
		if start.ErrorApart {
			c.Stderr = files[1]
		}
		return nil
	}
	c.Stdin, c.Stdout, c.Stderr = files[streamIn], files[streamOut], files[streamErr]
	return nil
}

func (c *Caller) listen(input io.Reader, files *fileReader, buffer []byte) {
	defer close(c.ended)
	for {
		f, err := readFrame(input, buffer)
		if err == nil && len(files.files) > 0 {
			err = fmt.Errorf("%w: files that nobody waits for", ErrProtocol)
		}
		if err == nil && f.kind == kindExit {
			c.finish(f)
			c.endStreams(io.EOF)
			return
		}
		if err == nil {
			err = c.dispatch(f)
		}
		if err != nil {
			files.closeFiles()
			if !errors.Is(err, ErrProtocol) {
				err = ErrLost
			}
			c.err = err
			c.endStreams(err)
			return
		}
	}
}

func (c *Caller) dispatch(f frame) error {
	return dispatch(f, c.senders, c.readers)
}

func (c *Caller) finish(f frame) {
	c.exit = Exit{f.payload[0], string(f.payload[1:])}
}

// Release tells the end inside, after Ended, that it may go. Until then it stays, with all that it holds open.
func (c *Caller) Release() {
	// It may have gone already.
	_ = c.link.send(frame{kind: kindDone})
}

func (c *Caller) endStreams(err error) {
	if s := c.senders[streamIn]; s != nil {
		s.fail(errStopped)
	}
	for _, r := range c.readers {
		if r != nil {
			r.finish(err)
		}
	}
}

// Resize tells of the size of the caller's terminal.
func (c *Caller) Resize(size Size) error {
	return c.link.send(frame{kind: kindResize, payload: size.appendTo(nil)})
}

// Signal sends the command a signal.
func (c *Caller) Signal(s syscall.Signal) error {
	return c.link.send(frame{kind: kindSignal, payload: []byte{byte(s)}})
}

// Ended is closed when there is an answer for Wait.
func (c *Caller) Ended() <-chan struct{} { return c.ended }

// Wait waits for the end of the command, which may come before the end of Stdout and Stderr. Errors: ErrLost,
// ErrProtocol.
func (c *Caller) Wait() (Exit, error) {
	<-c.ended
	return c.exit, c.err
}

// dispatch hands a frame of a stream on.
func dispatch(f frame, senders [streams]*sender, readers [streams]*receiver) error {
	s, r := senders[f.stream], readers[f.stream]
	switch {
	case f.kind == kindData && r != nil:
		return r.put(f.payload)
	case f.kind == kindEnd && r != nil:
		r.finish(io.EOF)
	case f.kind == kindCredit && s != nil:
		return s.grant(readUint32(f.payload))
	case f.kind == kindStop && s != nil:
		s.fail(errStopped)
	default:
		return fmt.Errorf("%w: a frame of kind %d for stream %d out of turn", ErrProtocol, f.kind, f.stream)
	}
	return nil
}

// lost has the end of a connection say what it means.
func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return ErrLost
	}
	return err
}

// nothing is a stream that is at its end.
type nothing struct{}

func (nothing) Read([]byte) (int, error)  { return 0, io.EOF }
func (nothing) Write([]byte) (int, error) { return 0, errStopped }
func (nothing) Close() error              { return nil }

// keptOpen is a terminal as standard input: it has no end of file.
type keptOpen struct{ io.Writer }

func (keptOpen) Close() error { return nil }

// terminal is the outer end of one, which says EIO when nobody has the inner one open any more.
type terminal struct{ *os.File }

// Read implements io.Reader.
func (t terminal) Read(p []byte) (int, error) {
	n, err := t.File.Read(p)
	if errors.Is(err, syscall.EIO) {
		err = io.EOF
	}
	return n, err
}
