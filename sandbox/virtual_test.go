// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"bytes"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What root in a machine writes to its console is nothing for a terminal to obey, shown as it comes or in an error.
func TestMachineLogIsHarmless(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	connection, machine := connectionOf(t, ends[0]), connectionOf(t, ends[1])
	log := readLog(connection, &shown)
	if _, err := machine.Write([]byte("booted\r\n\x1b]0;OWNED\a\x9b2J\n")); err != nil {
		t.Fatal(err)
	}
	machine.Close()
	<-log.done
	for what, text := range map[string]string{"what is shown": shown.String(), "what is quoted": log.quoted()} {
		if strings.ContainsAny(text, "\x1b\a\r") || strings.Contains(text, "\x9b") || !strings.Contains(text, "booted\n") {
			t.Errorf("%s: %q", what, text)
		}
	}
	log.close()
}

func connectionOf(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	file := os.NewFile(uintptr(fd), "socket")
	defer file.Close()
	connection, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	return connection.(*net.UnixConn)
}
