// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pair connects a caller with a session over a pipe, which carries no files, and joins the session with pipes. It gives
// the ends that a command would have.
func pair(t *testing.T) (call *Caller, session *Session, stdin, stdout, stderr *os.File) {
	t.Helper()
	host, guest := net.Pipe()
	t.Cleanup(func() { host.Close(); guest.Close() })
	return join(t, host, guest, Start{})
}

func join(
	t *testing.T,
	host, guest net.Conn,
	start Start,
) (call *Caller, session *Session, stdin, stdout, stderr *os.File) {
	t.Helper()
	var outer [3]*os.File
	joined := make(chan error, 1)
	go func() {
		var err error
		if session, err = Serve(guest); err == nil {
			stdin, outer[0], _ = os.Pipe()
			outer[1], stdout, _ = os.Pipe()
			outer[2], stderr, _ = os.Pipe()
			err = session.Join(outer[0], outer[1], outer[2])
		}
		joined <- err
	}()
	if err := Greet(host); err != nil {
		t.Fatal(err)
	}
	call, err := Call(host, start)
	if err := errors.Join(err, <-joined); err != nil {
		t.Fatal(err)
	}
	return call, session, stdin, stdout, stderr
}

// sockets returns both ends of a connection that carries files.
func sockets(t *testing.T) (host, guest *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		end, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		ends[i] = end.(*net.UnixConn)
		t.Cleanup(func() { end.Close() })
	}
	return ends[0], ends[1]
}

// Data passes both ways at once, whole, and ends, in frames and by files.
func TestStreams(t *testing.T) {
	const size = 20 << 20
	frames := func(t *testing.T) (*Caller, *Session, *os.File, *os.File, *os.File) { return pair(t) }
	files := func(t *testing.T) (*Caller, *Session, *os.File, *os.File, *os.File) {
		host, guest := sockets(t)
		return join(t, host, guest, Start{Files: true})
	}
	for name, connect := range map[string]func(*testing.T) (*Caller, *Session, *os.File, *os.File,
		*os.File){"frames": frames, "files": files} {
		t.Run(name, func(t *testing.T) {
			call, session, stdin, stdout, stderr := connect(t)
			data := make([]byte, size)
			source := rand.NewChaCha8([32]byte{1})
			_, _ = source.Read(data)
			go func() {
				_, _ = call.Stdin.Write(data)
				call.Stdin.Close()
			}()
			go func() {
				_, _ = io.Copy(io.MultiWriter(stdout, stderr), stdin)
				stdout.Close()
				stderr.Close()
				_ = session.Exit(Exit{Status: 7})
			}()
			sums := make(chan [32]byte, 2)
			for _, r := range []io.Reader{call.Stdout, call.Stderr} {
				go func() {
					h := sha256.New()
					_, _ = io.Copy(h, r)
					sums <- [32]byte(h.Sum(nil))
				}()
			}
			<-call.Ended()
			call.Release()
			for range 2 {
				if got := <-sums; got != sha256.Sum256(data) {
					t.Error("the data is not what was sent")
				}
			}
			if exit, err := call.Wait(); err != nil || exit != (Exit{Status: 7}) {
				t.Errorf("exit %+v, %v", exit, err)
			}
		})
	}
}

// A reader that does not read stops its writer within the window, and no other stream.
func TestFlowControl(t *testing.T) {
	call, _, _, stdout, stderr := pair(t)
	const pipe = 64 << 10 // what the kernel holds
	written := make(chan int, 1)
	go func() {
		n := 0
		for {
			_ = stdout.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			m, err := stdout.Write(make([]byte, 4096))
			n += m
			if err != nil {
				written <- n
				return
			}
		}
	}()
	if n := <-written; n < Window || n > Window+2*MaxPayload+pipe {
		t.Errorf("%d bytes could be written that nobody read", n)
	}
	if _, err := stderr.Write([]byte("other")); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 5)
	if _, err := io.ReadFull(call.Stderr, buffer); err != nil || string(buffer) != "other" {
		t.Errorf("the other stream gives %q, %v", buffer, err)
	}
}

// A reader that has gone makes the writer's next write fail.
func TestStop(t *testing.T) {
	call, _, stdin, stdout, _ := pair(t)
	call.Stdout.Close()
	deadline := time.Now().Add(5 * time.Second)
	for {
		_ = stdout.SetWriteDeadline(deadline)
		if _, err := stdout.Write([]byte("x")); err != nil {
			if !errors.Is(err, syscall.EPIPE) {
				t.Errorf("got %v", err)
			}
			break
		}
		time.Sleep(time.Millisecond)
	}
	stdin.Close()
	for time.Now().Before(deadline) {
		if _, err := call.Stdin.Write([]byte("x")); err != nil {
			if !errors.Is(err, syscall.EPIPE) {
				t.Errorf("got %v", err)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("a command that has closed its input is written to for ever")
}

// Requests arrive, and a caller that goes is noticed; and so is an end inside that goes.
func TestRequests(t *testing.T) {
	call, session, _, _, _ := pair(t)
	_ = call.Signal(syscall.SIGUSR1)
	_ = call.Resize(Size{50, 132})
	if got := <-session.Requests(); got != (Request{Signal: syscall.SIGUSR1}) {
		t.Errorf("got %+v", got)
	}
	if got := <-session.Requests(); got != (Request{Size: Size{50, 132}}) {
		t.Errorf("got %+v", got)
	}
	call.link.connection.Close()
	if _, open := <-session.Requests(); open {
		t.Error("more requests than were made")
	}
	call, session, _, _, _ = pair(t)
	session.link.connection.Close()
	if _, err := call.Wait(); !errors.Is(err, ErrLost) {
		t.Errorf("got %v", err)
	}
	if n, err := call.Stdout.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
}

// A command that cannot be started has its reason told in place of a start.
func TestNoCommand(t *testing.T) {
	host, guest := net.Pipe()
	want := Exit{Status: 127, Message: "x: command not found"}
	go func() {
		if s, err := Serve(guest); err == nil {
			_ = s.Exit(want)
		}
	}()
	if err := Greet(host); err != nil {
		t.Fatal(err)
	}
	call, err := Call(host, Start{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := call.Wait(); got != want || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	call.Release()
	if n, err := call.Stdout.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d, %v", n, err)
	}
}

// What is passed on to the next program is the same start on the same connection.
func TestPass(t *testing.T) {
	host, guest := sockets(t)
	want := Start{Terminal: true, ErrorApart: true, Size: Size{24, 80}, Files: true}
	go func() {
		_ = Greet(host)
		_, _ = Call(host, want)
	}()
	s, err := Serve(guest)
	if err != nil {
		t.Fatal(err)
	}
	word, err := s.Pass()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Resume(word)
	if err != nil || again.Start != want {
		t.Errorf("got %+v, %v; want %+v", again, err, want)
	}
	for _, bad := range []string{"", "x", ":", "3", "3:", "3:00", "3:zz00000000", "3:0000000000000000"} {
		if _, err := Resume(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestReadFrame(t *testing.T) {
	hello := helloFrame()
	cases := []struct {
		name, data string
		want       frame
		err        error
	}{
		{"hello", string(appendFrame(nil, hello)), hello, nil},
		{"data", "\x04\x01\x00\x00\x00\x00\x00\x02ab", frame{kindData, 1, []byte("ab")}, nil},
		{"end", "\x06\x02\x00\x00\x00\x00\x00\x00", frame{kindEnd, 2, []byte{}}, nil},
		{"nothing", "", frame{}, io.EOF},
		{"half a header", "\x04\x01\x00", frame{}, io.ErrUnexpectedEOF},
		{"half a payload", "\x04\x01\x00\x00\x00\x00\x00\x02a", frame{}, io.ErrUnexpectedEOF},
		{"no such kind", "\x0c\x00\x00\x00\x00\x00\x00\x00", frame{}, ErrProtocol},
		{"kind 0", "\x00\x00\x00\x00\x00\x00\x00\x00", frame{}, ErrProtocol},
		{"no such stream", "\x04\x03\x00\x00\x00\x00\x00\x01a", frame{}, ErrProtocol},
		{"stream of none", "\x0b\x01\x00\x00\x00\x00\x00\x00", frame{}, ErrProtocol},
		{"no data", "\x04\x01\x00\x00\x00\x00\x00\x00", frame{}, ErrProtocol},
		{"too much", "\x04\x01\x00\x00\x00\x01\x00\x01", frame{}, ErrProtocol},
		{"far too much", "\x04\x01\x00\x00\xff\xff\xff\xff", frame{}, ErrProtocol},
		{"not zero", "\x04\x01\x01\x00\x00\x00\x00\x01a", frame{}, ErrProtocol},
		{"wrong length", "\x08\x00\x00\x00\x00\x00\x00\x03abc", frame{}, ErrProtocol},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := readFrame(strings.NewReader(c.data), make([]byte, MaxPayload))
			if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// FuzzFrames: what is read is what writing it again gives, and no bytes do harm.
func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, helloFrame()), Start{Terminal: true, Size: Size{1, 2}}.frame()))
	f.Add(appendFrame(nil, Exit{1, "why"}.frame()))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, buffer := bytes.NewReader(data), make([]byte, MaxPayload)
		for {
			before := len(data) - r.Len()
			got, err := readFrame(r, buffer)
			if err != nil {
				return
			}
			if after := len(data) - r.Len(); !bytes.Equal(appendFrame(nil, got), data[before:after]) {
				t.Fatalf("%x is read as %+v", data[before:after], got)
			}
			_ = checkHelloOf(got)
			if got.kind == kindStart {
				if s, err := readStart(got); err == nil && !bytes.Equal(s.frame().payload, got.payload) {
					t.Fatalf("%x is read as %+v", got.payload, s)
				}
			}
		}
	})
}

func checkHelloOf(f frame) error {
	if f.kind != kindHello {
		return nil
	}
	return checkHello(f)
}

// script is a connection whose other end says what is written down, and hears nothing.
type script struct{ io.Reader }

func (script) Write(p []byte) (int, error) { return len(p), nil }
func (script) Close() error                { return nil }

// FuzzEnds: neither end hangs, panics or keeps more than the windows, whatever the other one says.
func FuzzEnds(f *testing.F) {
	ready := appendFrame(appendFrame(nil, helloFrame()), frame{kind: kindReady})
	f.Add(appendFrame(ready, frame{kindData, streamOut, []byte("out")}))
	f.Add(appendFrame(appendFrame(nil, helloFrame()), Start{}.frame()))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := script{bytes.NewReader(data)}
		if Greet(c) == nil {
			if call, err := Call(c, Start{}); err == nil {
				_, _ = call.Wait()
				n, _ := io.Copy(io.Discard, io.MultiReader(call.Stdout, call.Stderr))
				if n > 2*Window {
					t.Fatalf("%d bytes were kept", n)
				}
			}
		}
		s, err := Serve(script{bytes.NewReader(data)})
		if err != nil {
			return
		}
		stdin, input, _ := os.Pipe()
		output, stdout, _ := os.Pipe()
		stdin.Close()
		stdout.Close()
		if s.Join(input, output, nil) == nil {
			for range s.Requests() {
			}
			_ = s.Exit(Exit{})
		}
	})
}
