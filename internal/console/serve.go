// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Session is the end inside, from the call until the exit.
type Session struct {
	Start Start

	link     *link
	senders  [streams]*sender
	readers  [streams]*receiver
	outputs  sync.WaitGroup
	requests chan Request
	done     chan struct{}
}

// Request is what the caller asks for while the command runs: a signal, or a size of the terminal where that is 0.
type Request struct {
	Signal syscall.Signal
	Size   Size
}

// Serve says that the end inside is there, and waits for the call.
func Serve(connection io.ReadWriteCloser) (*Session, error) {
	s := &Session{link: &link{connection: connection}}
	if err := s.link.send(helloFrame()); err != nil {
		return nil, fmt.Errorf("wait for the caller: %w", err)
	}
	buffer := make([]byte, MaxPayload)
	f, err := readFrame(connection, buffer)
	if err == nil {
		err = checkHello(f)
	}
	if err == nil {
		f, err = readFrame(connection, buffer)
	}
	if err == nil {
		s.Start, err = readStart(f)
	}
	if _, isSocket := connection.(*net.UnixConn); err == nil && s.Start.Files && !isSocket {
		err = fmt.Errorf("%w: files over what carries none", ErrProtocol)
	}
	if err != nil {
		return nil, fmt.Errorf("wait for the caller: %w", err)
	}
	return s, nil
}

// Pass makes a word with which the program that this one executes next can go on by Resume. Before Join only.
func (s *Session) Pass() (string, error) {
	socket, isSocket := s.link.connection.(*net.UnixConn)
	if !isSocket {
		return "", errors.New("pass the connection on: it is no Unix socket")
	}
	file, err := socket.File()
	if err != nil {
		return "", fmt.Errorf("pass the connection on: %w", err)
	}
	// The copy must outlive its file.
	fd, err := unix.Dup(int(file.Fd()))
	file.Close()
	if err != nil {
		return "", fmt.Errorf("pass the connection on: %w", err)
	}
	return fmt.Sprintf("%d:%x", fd, s.Start.frame().payload), nil
}

// Resume takes over what Pass passed on.
func Resume(word string) (*Session, error) {
	number, start, _ := strings.Cut(word, ":")
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	var payload []byte
	if _, err := fmt.Sscanf(start, "%x", &payload); err != nil || len(payload) != 5 {
		return nil, fmt.Errorf("take the connection over: %q is no start", start)
	}
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "caller")
	connection, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	s := &Session{link: &link{connection: connection}}
	s.Start, err = readStart(frame{kind: kindStart, payload: payload})
	return s, err
}

// Join connects the caller with the outer ends of the command's streams: input, output and error; or the terminal, nil,
// and error or nil. It takes them over, but for the terminal, which the command's side goes on to resize.
func (s *Session) Join(input, output, errors *os.File) error {
	s.requests, s.done = make(chan Request, 16), make(chan struct{})
	if s.Start.Files {
		var files []*os.File
		for _, f := range []*os.File{input, output, errors} {
			if f != nil {
				files = append(files, f)
			}
		}
		if err := sendFiles(s.link.connection.(*net.UnixConn), frame{kind: kindReady}, files); err != nil {
			return err
		}
		for _, f := range files {
			if f != input || !s.Start.Terminal {
				f.Close()
			}
		}
	} else {
		if err := s.link.send(frame{kind: kindReady}); err != nil {
			return fmt.Errorf("answer the caller: %w", err)
		}
		s.pump(input, output, errors)
	}
	go s.listen()
	return nil
}

// pump moves data between the connection and the command.
func (s *Session) pump(input, output, errors *os.File) {
	in := newReceiver(s.link, streamIn)
	s.readers[streamIn] = in
	if s.Start.Terminal {
		output = input
	}
	go func() {
		if _, err := io.Copy(input, in); err != nil {
			in.Close()
		}
		if !s.Start.Terminal {
			input.Close()
		}
	}()
	for id, f := range map[uint8]*os.File{streamOut: output, streamErr: errors} {
		out := newSender(s.link, id)
		s.senders[id] = out
		if f == nil {
			continue
		}
		s.outputs.Go(func() {
			buffer := make([]byte, MaxPayload)
			// The end of a terminal is an error. The other is that nobody reads: then the command shall not write.
			_, _ = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{f}, buffer)
			if f != input {
				f.Close()
			}
			out.Close()
		})
	}
}

func (s *Session) listen() {
	defer close(s.requests)
	buffer := make([]byte, MaxPayload)
	for {
		f, err := readFrame(s.link.connection, buffer)
		if err == nil {
			switch f.kind {
			case kindResize:
				s.requests <- Request{Size: readSize(f.payload)}
			case kindSignal:
				s.requests <- Request{Signal: syscall.Signal(f.payload[0])}
			case kindDone:
				close(s.done)
				return
			default:
				err = dispatch(f, s.senders, s.readers)
			}
		}
		if err != nil {
			for id := range uint8(streams) {
				if s.senders[id] != nil {
					s.senders[id].fail(errStopped)
				}
				if s.readers[id] != nil {
					s.readers[id].finish(io.EOF)
				}
			}
			close(s.done)
			return
		}
	}
}

// Requests returns what the caller asks for. It is closed when the caller has gone, or wants no more.
func (s *Session) Requests() <-chan Request { return s.requests }

// Exit tells the caller of the end, after all output, for whose end it waits: nobody may hold it open any more. It
// returns when the caller knows.
func (s *Session) Exit(e Exit) error {
	s.outputs.Wait()
	if err := s.link.send(e.frame()); err != nil {
		return fmt.Errorf("tell of the exit: %w", err)
	}
	if s.done != nil {
		<-s.done
		return nil
	}
	// The command has not been started. The caller has nothing else to say.
	_, _ = readFrame(s.link.connection, make([]byte, MaxPayload))
	return nil
}

func readUint32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
