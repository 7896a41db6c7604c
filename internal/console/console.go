// SPDX-License-Identifier: Apache-2.0

// Package console is the wire between a command in a sandbox and who called it. In: a connection of bytes, such as a
// Unix socket or a virtio-serial port; out: standard input, output and error kept apart, ends of file, window sizes,
// signals and the exit status. The caller's end is Call, the end inside is Serve. It links neither libvirt nor cgo.
//
// # The protocol, version 1
//
// Both ends send frames: a header of 8 bytes, then a payload.
//
//	byte 0     kind of the frame
//	byte 1     stream: 0 standard input, 1 output, 2 error; 0 where the kind has none
//	bytes 2-3  zero
//	bytes 4-7  length of the payload, big endian, at most 65536
//
// All numbers are big endian. The kinds, with who sends them (C the caller, I the end inside) and the payload:
//
//	1 hello   both  "virt-sandbox", the version (2 bytes); the end inside says so first, and the caller when it may begin
//	2 start   C     flags (1 terminal, 2 error apart from the terminal, 4 files), rows, columns (2 bytes each)
//	3 ready   I     none; with files the descriptors come along (unix(7), SCM_RIGHTS)
//	4 data    both  bytes of the stream
//	5 credit  both  how many bytes more of the stream may come (4 bytes)
//	6 end     both  no more data of the stream comes
//	7 stop    both  the data of the stream is not wanted any more: the command's next write, or the caller's, fails
//	8 resize  C     rows, columns (2 bytes each)
//	9 signal  C     number of a signal for the command (1 byte)
//	10 exit   I     exit status (1 byte), then a message for a person where there was no command to exit
//	11 done   C     the exit has arrived: the end inside may switch the machine off
//
// Each stream may be ahead of its reader by 262144 bytes, and by what credit adds: a reader that does not read stops
// its writer, and no other stream. Data beyond that, a frame of another kind or length, and one out of turn end the
// connection.
//
// Where both ends are on one kernel, no data has to pass here: with the flag files, the end inside makes the pipes, or
// the terminal, and hands their outer ends over with ready: input, output and error; or the terminal, and error where
// it is apart. The caller never gives a file of its own away: who holds one can do with it what the caller could.
package console

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Version of the protocol, which both ends must have.
const Version = 1

// Limits of a frame and of what may be under way in a stream, in bytes.
const (
	MaxPayload = 64 << 10
	Window     = 256 << 10
)

// The streams.
const (
	streamIn = iota
	streamOut
	streamErr
	streams
)

type kind uint8

const (
	kindHello kind = iota + 1
	kindStart
	kindReady
	kindData
	kindCredit
	kindEnd
	kindStop
	kindResize
	kindSignal
	kindExit
	kindDone
)

const (
	headerSize = 8
	magic      = "virt-sandbox"
)

// ErrProtocol is what the other end has broken when a connection ends for that.
var ErrProtocol = errors.New("the other end does not keep to the protocol")

// frame is one message.
type frame struct {
	kind    kind
	stream  uint8
	payload []byte
}

// payloadBounds returns the least and the greatest length of the payload of a kind; the latter is -1 for no such kind.
func (k kind) payloadBounds() (least, most int) {
	switch k {
	case kindHello:
		return len(magic) + 2, len(magic) + 2
	case kindStart:
		return 5, 5
	case kindReady, kindEnd, kindStop, kindDone:
		return 0, 0
	case kindData:
		return 1, MaxPayload
	case kindCredit, kindResize:
		return 4, 4
	case kindSignal:
		return 1, 1
	case kindExit:
		return 1, MaxPayload
	}
	return 0, -1
}

func (k kind) hasStream() bool {
	return k == kindData || k == kindCredit || k == kindEnd || k == kindStop
}

// readFrame reads one frame and no byte more. The payload is the buffer's, of at least MaxPayload. Errors: ErrProtocol,
// and io.EOF where the connection ended between frames.
func readFrame(r io.Reader, buffer []byte) (frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: kind(header[0]), stream: header[1]}
	length := binary.BigEndian.Uint32(header[4:])
	least, most := f.kind.payloadBounds()
	switch {
	case int64(length) < int64(least) || int64(length) > int64(most):
		return frame{}, fmt.Errorf("%w: a frame of kind %d with %d bytes", ErrProtocol, f.kind, length)
	case header[2] != 0 || header[3] != 0 || f.stream >= streams || (f.stream != 0 && !f.kind.hasStream()):
		return frame{}, fmt.Errorf("%w: a header % x", ErrProtocol, header)
	}
	f.payload = buffer[:length]
	if _, err := io.ReadFull(r, f.payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return frame{}, err
	}
	return f, nil
}

// appendFrame writes a frame behind what a buffer has.
func appendFrame(b []byte, f frame) []byte {
	b = append(b, byte(f.kind), f.stream, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload)))
	return append(b, f.payload...)
}

// link sends whole frames for many.
type link struct {
	connection io.ReadWriteCloser
	mu         sync.Mutex
	buffer     []byte
}

func (l *link) send(f frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buffer = appendFrame(l.buffer[:0], f)
	_, err := l.connection.Write(l.buffer)
	return err
}

func helloFrame() frame {
	return frame{kind: kindHello, payload: binary.BigEndian.AppendUint16([]byte(magic), Version)}
}

func checkHello(f frame) error {
	if f.kind != kindHello || string(f.payload[:len(magic)]) != magic {
		return fmt.Errorf("%w: no hello", ErrProtocol)
	}
	if v := binary.BigEndian.Uint16(f.payload[len(magic):]); v != Version {
		return fmt.Errorf("%w: it speaks version %d, and this end %d; use programs of one release", ErrProtocol, v, Version)
	}
	return nil
}

// Size is that of a terminal, in characters.
type Size struct{ Rows, Columns uint16 }

func (s Size) appendTo(b []byte) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, s.Rows), s.Columns)
}

func readSize(b []byte) Size {
	return Size{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}
}

// Start is how the command is to be started.
type Start struct {
	Terminal   bool // it gets a terminal for standard input and output, of Size
	ErrorApart bool // standard error is no part of the terminal
	Size       Size
	Files      bool // pipes or the terminal are handed over: both ends are on one kernel
}

const (
	flagTerminal = 1 << iota
	flagErrorApart
	flagFiles
)

func (s Start) frame() frame {
	var flags byte
	if s.Terminal {
		flags |= flagTerminal
	}
	if s.ErrorApart {
		flags |= flagErrorApart
	}
	if s.Files {
		flags |= flagFiles
	}
	return frame{kind: kindStart, payload: s.Size.appendTo([]byte{flags})}
}

func readStart(f frame) (Start, error) {
	if f.kind != kindStart || f.payload[0] > flagTerminal|flagErrorApart|flagFiles {
		return Start{}, fmt.Errorf("%w: no start", ErrProtocol)
	}
	flags := f.payload[0]
	return Start{flags&flagTerminal != 0, flags&flagErrorApart != 0, readSize(f.payload[1:]), flags&flagFiles != 0}, nil
}

// Exit is how a command ended.
type Exit struct {
	Status  uint8  // as shells have it: 128 and the number of a signal, 127 and 126 where there was nothing to execute
	Message string // why there was no command to exit; empty otherwise
}

func (e Exit) frame() frame {
	message := e.Message[:min(len(e.Message), MaxPayload-1)]
	return frame{kind: kindExit, payload: append([]byte{e.Status}, message...)}
}
