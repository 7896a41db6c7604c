// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// fakeBus is the bus of a container whose systemd has a few units.
type fakeBus struct {
	units   map[string]map[string]any
	asked   func(unit string) // is called before each look at a unit
	failed  []string
	jobs    []dbus.JobStatus
	err     error
	result  string // of each job; none ends where it is empty
	started []any  // what the units that were started are called, and how
}

// client returns one that is connected to the bus.
func (b *fakeBus) client(t *testing.T) *Client {
	t.Helper()
	return connected(t, func(stream net.Conn) { b.serve(t, stream) })
}

// connected returns a client of what answers.
func connected(t *testing.T, answer func(net.Conn)) *Client {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		answer(theirs)
	}()
	t.Cleanup(func() {
		ours.Close()
		<-done
	})
	bus, err := newConnection(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{bus}
}

// greet lets a client in and answers its Hello.
func greet(stream net.Conn) (*bufio.Reader, error) {
	in := bufio.NewReader(stream)
	if line, err := in.ReadString('\n'); err != nil || line != "\x00AUTH EXTERNAL 30\r\n" {
		return nil, errors.New("said " + line)
	}
	if _, err := io.WriteString(stream, "OK 0123\r\n"); err != nil {
		return nil, err
	}
	if line, err := in.ReadString('\n'); err != nil || line != "BEGIN\r\n" {
		return nil, errors.New("said " + line)
	}
	hello, err := godbus.DecodeMessage(in)
	if err != nil {
		return nil, err
	}
	return in, answer(stream, hello, ":1.1")
}

// notUTF8 stands for text that the library would refuse to send.
const notUTF8 = "\x02\x03\x02"

// encode makes the bytes of a message.
func encode(m *godbus.Message) []byte {
	if len(m.Body) > 0 {
		m.Headers[godbus.FieldSignature] = godbus.MakeVariant(godbus.SignatureOf(m.Body...))
	}
	var out bytes.Buffer
	if err := m.EncodeTo(&out, binary.BigEndian); err != nil {
		panic(err)
	}
	binary.BigEndian.PutUint32(out.Bytes()[8:], 1)
	return bytes.ReplaceAll(out.Bytes(), []byte(notUTF8), []byte("\x9b\xc3\x9b"))
}

func answer(out io.Writer, question *godbus.Message, values ...any) error {
	_, err := out.Write(encode(&godbus.Message{Type: godbus.TypeMethodReply, Body: values,
		Headers: map[godbus.HeaderField]godbus.Variant{
			godbus.FieldReplySerial: godbus.MakeVariant(question.Serial()),
			godbus.FieldSender:      godbus.MakeVariant(":1.2"),
		}}))
	return err
}

func refuse(out io.Writer, question *godbus.Message, text string) error {
	_, err := out.Write(encode(&godbus.Message{Type: godbus.TypeError, Body: []any{text},
		Headers: map[godbus.HeaderField]godbus.Variant{
			godbus.FieldReplySerial: godbus.MakeVariant(question.Serial()),
			godbus.FieldErrorName:   godbus.MakeVariant("org.example.Error"),
		}}))
	return err
}

func jobRemoved(out io.Writer, job godbus.ObjectPath, result string) error {
	_, err := out.Write(encode(&godbus.Message{
		Type: godbus.TypeSignal, Body: []any{uint32(7), job, "web.service", result},
		Headers: map[godbus.HeaderField]godbus.Variant{
			godbus.FieldPath:      godbus.MakeVariant(godbus.ObjectPath(busPath)),
			godbus.FieldInterface: godbus.MakeVariant(manager),
			godbus.FieldMember:    godbus.MakeVariant("JobRemoved"),
		},
	}))
	return err
}

// serve answers until the client goes.
func (b *fakeBus) serve(t *testing.T, stream net.Conn) {
	in, err := greet(stream)
	for err == nil {
		var question *godbus.Message
		if question, err = godbus.DecodeMessage(in); err == nil {
			err = b.answer(stream, question)
		}
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the bus: %v", err)
	}
}

func (b *fakeBus) answer(out io.Writer, question *godbus.Message) error {
	member, _ := question.Headers[godbus.FieldMember].Value().(string)
	path, _ := question.Headers[godbus.FieldPath].Value().(godbus.ObjectPath)
	if b.err != nil {
		return refuse(out, question, b.err.Error())
	}
	const job = godbus.ObjectPath(busPath + "/job/7")
	switch member {
	case "GetAll":
		return b.properties(out, question, path)
	case "ListUnitsFiltered":
		units := []dbus.UnitStatus{}
		for _, name := range b.failed {
			units = append(units, dbus.UnitStatus{Name: name, Followed: "x", Path: "/", JobPath: "/"})
		}
		return answer(out, question, units)
	case "ListJobs":
		return answer(out, question, append([]dbus.JobStatus{}, b.jobs...))
	case "ReloadUnit":
		if b.result != "" {
			// It may be told before the answer, and other jobs end too.
			if err := errors.Join(jobRemoved(out, job+"0", "failed"), jobRemoved(out, job, b.result)); err != nil {
				return err
			}
		}
		return answer(out, question, job)
	case "StartUnit":
		b.started = append(b.started, question.Body...)
		return answer(out, question, job)
	case "AddMatch":
		return answer(out, question)
	}
	return refuse(out, question, "unknown method "+member)
}

func (b *fakeBus) properties(out io.Writer, question *godbus.Message, path godbus.ObjectPath) error {
	for unit, properties := range b.units {
		if unitPath(unit) != string(path) {
			continue
		}
		if b.asked != nil {
			b.asked(unit)
		}
		values := map[string]godbus.Variant{}
		for name, value := range properties {
			values[name] = godbus.MakeVariant(value)
		}
		return answer(out, question, values)
	}
	return refuse(out, question, "no \x07unit "+strings.TrimPrefix(string(path), busPath))
}
