// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWordsAreNoFields: whatever a container has in a status, systemd gets the fields of ours and one line.
func TestWordsAreNoFields(t *testing.T) {
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	socket, err := net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", address.Name)
	read := func() string {
		buffer := make([]byte, 8192)
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	const evil = "web.service active (x\nWATCHDOG=trigger\r\nNOTIFYACCESS=all\x00\x1b[2J)"
	const harmless = "web.service active (x?WATCHDOG=trigger??NOTIFYACCESS=all??[2J)"
	Status(evil)
	if got := read(); got != "STATUS="+harmless {
		t.Errorf("status: %q", got)
	}
	Working(evil + "\n")
	if got := read(); got != "EXTEND_TIMEOUT_USEC=60000000\nSTATUS="+harmless {
		t.Errorf("working: %q", got)
	}
	if err := Ready(evil); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=%s", os.Getpid(), harmless) {
		t.Errorf("ready: %q", got)
	}
	Status(strings.Repeat("x", 100_000))
	if got := read(); len(got) > maxStatus+100 {
		t.Errorf("a status has %d bytes", len(got))
	}
}

// FuzzMessage: no words add a line.
func FuzzMessage(f *testing.F) {
	f.Add("up")
	f.Add("a\nREADY=1")
	f.Add("\xff\u2028")
	f.Fuzz(func(t *testing.T, words string) {
		got := message(words, "READY=1")
		if lines := strings.Split(got, "\n"); len(lines) != 2 || lines[0] != "READY=1" ||
			!strings.HasPrefix(lines[1], "STATUS=") {
			t.Errorf("%q becomes %q", words, got)
		}
	})
}
