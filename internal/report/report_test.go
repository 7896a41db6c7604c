// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestFields(t *testing.T) {
	for message, want := range map[string][]string{
		"":                        nil,
		"READY=1":                 {"READY:1"},
		"STATUS=a=b\nREADY=1\r\n": {"STATUS:a=b", "READY:1"},
		" X \n\n=\n":              {"X:", ":", ":"},
	} {
		var got []string
		Fields([]byte(message), func(name, value string) bool {
			got = append(got, name+":"+value)
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

// flood is a socket that always has a message, so many in all.
type flood struct{ left int }

func (f *flood) Read(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, io.EOF
	}
	return copy(p, strings.Repeat("\n", maxMessage)), nil
}

// A flood of messages, each of many lines, leaves its reader idle most of the time, and all that a socket holds is read
// soon.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, fields := time.Now(), 0
		err := Read(&flood{100_000}, func(string, string) bool {
			fields++
			return true
		})
		if took := time.Since(begun); !errors.Is(err, io.EOF) || took < 5*time.Second {
			t.Errorf("100000 messages are read in %v, %v", took, err)
		}
		if fields > 100_000*maxFields {
			t.Errorf("%d fields are read", fields)
		}
		begun = time.Now()
		_ = Read(&flood{512}, func(string, string) bool { return true })
		if took := time.Since(begun); took > 50*time.Millisecond {
			t.Errorf("what a socket holds takes %v", took)
		}
	})
}

// What is done for the fields of a flood takes a tenth of the time at most, and what one container has to say waits for
// nothing.
func TestFloodOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, worked := time.Now(), time.Duration(0)
		work := func(string, string) bool {
			time.Sleep(100 * time.Microsecond)
			worked += 100 * time.Microsecond
			return true
		}
		_ = Read(&flood{1000}, work)
		if took := time.Since(begun); took < 9*(worked-credits) {
			t.Errorf("%v of work are done within %v", worked, took)
		}
		begun = time.Now()
		_ = Read(strings.NewReader("READY=1\nX_HEALTH=healthy"), work)
		if took := time.Since(begun); took > time.Millisecond {
			t.Errorf("one message takes %v", took)
		}
	})
}

// Descriptors that come with a message do not stay.
func TestDescriptors(t *testing.T) {
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	socket, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	own := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "sender"), Net: "unixgram"}
	sender, err := net.ListenUnixgram("unixgram", own)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	passed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := open()
	for _, message := range []string{"FDSTORE=1", "READY=1"} {
		rights := unix.UnixRights(int(passed.Fd()), int(passed.Fd()))
		if _, _, err := sender.WriteMsgUnix([]byte(message), rights, address); err != nil {
			t.Fatal(err)
		}
	}
	if err := Read(socket, func(name, _ string) bool { return name != "READY" }); err != nil {
		t.Fatal(err)
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

// FuzzFields: no message has more fields than are read, and none spans lines.
func FuzzFields(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=up\r\nEXIT_STATUS=3"))
	f.Add([]byte("\n\n=\xff\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		fields := 0
		Fields(message, func(name, value string) bool {
			if fields++; strings.ContainsAny(name+value, "\n") || strings.Contains(name, "=") {
				t.Errorf("field %q is %q", name, value)
			}
			return true
		})
		if fields > maxFields {
			t.Errorf("%d fields", fields)
		}
	})
}
