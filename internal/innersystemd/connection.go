// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// What a container may say before it is answered no more. Its systemd tells some 25 KiB of a unit, and 400 bytes of
// each unit that failed.
const (
	maxLine     = 512     // bytes of a line of the handshake
	maxMessage  = 1 << 20 // bytes of a message
	maxAnswer   = 4 << 20 // bytes until the answer to a question is there, with what comes between
	maxMessages = 10_000  // messages until then
	maxJobs     = 1000    // jobs whose end is remembered
)

var errTooMuch = errors.New("it says more than it was asked for")

// fixedHeader is how many bytes each message begins with.
const fixedHeader = 16

// Types of messages, and fields of their headers (D-Bus specification).
const (
	typeReply  = 2
	typeError  = 3
	typeSignal = 4

	fieldMember      = 3
	fieldErrorName   = 4
	fieldReplySerial = 5
	fieldSignature   = 8
)

// connection asks the bus of a container. Everything that comes over it is read here, in bounds of its own: no more
// than one message is in memory, and nobody reads on behind a question's answer.
type connection struct {
	mu     sync.Mutex
	stream net.Conn
	in     *bufio.Reader
	serial uint32
	jobs   map[string]string // by its path, how a job ended
}

// newConnection greets a bus, which is closed when that fails.
func newConnection(ctx context.Context, stream net.Conn) (*connection, error) {
	c := &connection{stream: stream, in: bufio.NewReaderSize(stream, maxLine), jobs: map[string]string{}}
	err := c.within(ctx, c.authenticate)
	if err == nil {
		_, err = c.call(ctx, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "s")
	}
	if err != nil {
		stream.Close()
		return nil, err
	}
	return c, nil
}

// authenticate is the handshake: root asks for no descriptors.
func (c *connection) authenticate() error {
	if _, err := io.WriteString(c.stream, "\x00AUTH EXTERNAL 30\r\n"); err != nil {
		return err
	}
	line, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return errTooMuch
	}
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("OK ")) {
		return errors.New("it does not let root in")
	}
	_, err = io.WriteString(c.stream, "BEGIN\r\n")
	return err
}

// within runs f, whose reading and writing ends with the context.
func (c *connection) within(ctx context.Context, f func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.stream.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := f()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// call asks, and returns the body of the answer, which has values of the types. After an error the connection may be of
// no use, unless that is an *answeredError.
func (c *connection) call(ctx context.Context, to, path, of, method, types string, args ...any) (*wire, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	question, err := c.question(to, path, of, method, args)
	if err != nil {
		return nil, err
	}
	var body *wire
	err = c.within(ctx, func() error {
		if _, err := c.stream.Write(question); err != nil {
			return err
		}
		body, err = c.answerLocked(types)
		return err
	})
	return body, err
}

// question makes a message that asks, with a number of its own.
func (c *connection) question(to, path, of, method string, args []any) ([]byte, error) {
	m := godbus.Message{Type: godbus.TypeMethodCall, Body: args, Headers: map[godbus.HeaderField]godbus.Variant{
		godbus.FieldDestination: godbus.MakeVariant(to),
		godbus.FieldPath:        godbus.MakeVariant(godbus.ObjectPath(path)),
		godbus.FieldInterface:   godbus.MakeVariant(of),
		godbus.FieldMember:      godbus.MakeVariant(method),
	}}
	if len(args) > 0 {
		m.Headers[godbus.FieldSignature] = godbus.MakeVariant(godbus.SignatureOf(args...))
	}
	var out bytes.Buffer
	if err := m.EncodeTo(&out, binary.LittleEndian); err != nil {
		return nil, err
	}
	c.serial++
	binary.LittleEndian.PutUint32(out.Bytes()[8:], c.serial)
	return out.Bytes(), nil
}

// answeredError is an answer that says that a question has none.
type answeredError struct{ text string }

func (e *answeredError) Error() string { return e.text }

// answerLocked reads until the answer to the last question is there.
func (c *connection) answerLocked(types string) (*wire, error) {
	left := maxAnswer
	for range maxMessages {
		m, size, err := c.message()
		if err != nil {
			return nil, err
		}
		if left -= size; left < 0 {
			return nil, errTooMuch
		}
		switch {
		case m.kind == typeSignal:
			c.noteLocked(m)
		case m.replyTo != c.serial:
		case m.kind == typeReply && m.types == types:
			return &m.body, nil
		case m.kind == typeReply:
			return nil, errWire
		case m.kind == typeError:
			if strings.HasPrefix(m.types, "s") {
				return nil, &answeredError{sentence(m.body.text())}
			}
			return nil, &answeredError{sentence(m.name)}
		}
	}
	return nil, errTooMuch
}

// message is one message.
type message struct {
	kind    byte
	replyTo uint32
	member  string // of a signal
	name    string // of an error
	types   string // of its body
	body    wire
}

// message reads one message and returns its size too.
func (c *connection) message() (*message, int, error) {
	var fixed [fixedHeader]byte
	if _, err := io.ReadFull(c.in, fixed[:]); err != nil {
		return nil, 0, err
	}
	header, body, err := sizes(&fixed)
	if err != nil {
		return nil, 0, err
	}
	data := make([]byte, header+body)
	copy(data, fixed[:])
	if _, err := io.ReadFull(c.in, data[fixedHeader:]); err != nil {
		return nil, 0, err
	}
	m, err := parse(data, header)
	return m, len(data), err
}

// sizes returns how many bytes the header of a message has with what fills it up, and how many its body.
func sizes(fixed *[fixedHeader]byte) (header, body int, err error) {
	order, err := orderOf(fixed[0])
	if err != nil {
		return 0, 0, err
	}
	fields, rest := int64(order.Uint32(fixed[12:])), int64(order.Uint32(fixed[4:]))
	fields = (fields + 7) &^ 7
	if fixedHeader+fields+rest > maxMessage {
		return 0, 0, errTooMuch
	}
	return int(fixedHeader + fields), int(rest), nil
}

func orderOf(letter byte) (binary.ByteOrder, error) {
	switch letter {
	case 'l':
		return binary.LittleEndian, nil
	case 'B':
		return binary.BigEndian, nil
	}
	return nil, errWire
}

// parse reads a message whose header has so many bytes.
func parse(data []byte, header int) (*message, error) {
	order, err := orderOf(data[0])
	if err != nil {
		return nil, err
	}
	m := &message{kind: data[1], body: wire{order: order, data: data[header:]}}
	fields := wire{order: order, data: data[:header], at: 12}
	for end := fields.array(8); fields.in(end); {
		fields.align(8)
		field := fields.byte()
		types := fields.signature()
		switch {
		case field == fieldMember && types == "s":
			m.member = fields.text()
		case field == fieldErrorName && types == "s":
			m.name = fields.text()
		case field == fieldReplySerial && types == "u":
			m.replyTo = fields.uint32()
		case field == fieldSignature && types == "g":
			m.types = fields.signature()
		default:
			fields.skipOne(types, 0)
		}
	}
	if fields.failed {
		return nil, errWire
	}
	return m, nil
}

// noteLocked remembers how a job ended, which may be told before the answer to who asked for it.
func (c *connection) noteLocked(m *message) {
	if m.member != "JobRemoved" || m.types != "uoss" || len(c.jobs) >= maxJobs {
		return
	}
	m.body.uint32()
	job := m.body.text()
	m.body.text()
	if result := m.body.text(); !m.body.failed && len(job) <= maxWord {
		c.jobs[job] = word(result)
	}
}

// jobEnd waits for the end of a job and returns how it ended.
func (c *connection) jobEnd(ctx context.Context, job string) (result string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.within(ctx, func() error {
		left := maxAnswer
		for range maxMessages {
			if ended, ok := c.jobs[job]; ok {
				result = ended
				return nil
			}
			m, size, err := c.message()
			if err != nil {
				return err
			}
			if left -= size; left < 0 {
				break
			}
			if m.kind == typeSignal {
				c.noteLocked(m)
			}
		}
		return errTooMuch
	})
	return result, err
}

// Close ends the connection.
func (c *connection) Close() { c.stream.Close() }
