// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// atTerminal runs the service tool with a terminal and returns what is shown there.
func atTerminal(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command(program, args...)
	terminal, err := pty.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	// A terminal without a program at its other end cannot be read (EIO).
	text, _ := io.ReadAll(terminal)
	if err := command.Wait(); err != nil {
		t.Errorf("%v: %v\n%s", args, err, text)
	}
	return string(text)
}

// Who waits at a terminal is told for what, and how much a delete has freed.
func TestToldAtTerminal(t *testing.T) {
	rig.On(t, rig.Native)
	const unit = "/etc/systemd/system/vst-slow.service"
	t.Cleanup(func() { os.Remove(unit) })
	text := "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 3\n"
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	create(t, "t-slow", "-P", "coreutils", "-u", "vst-slow")
	if got := atTerminal(t, "start", "t-slow"); !strings.Contains(got, "t-slow: waiting for vst-slow.service (2s)") ||
		!strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("start: %q", got)
	}
	must(t, "stop", "t-slow")
	got := atTerminal(t, "delete", "t-slow")
	if !regexp.MustCompile(`^Deleted t-slow \([0-9.]+[KMG]\)\r\n$`).MatchString(got) {
		t.Errorf("delete: %q", got)
	}
}

// A terminal is shown what sandboxes use again and again, each time on an empty screen, until an interrupt.
func TestTopAtTerminal(t *testing.T) {
	rig.On(t, rig.Native)
	t.Cleanup(func() { remove(t, "t-top") })
	must(t, "create", "t-top", "--", "/bin/sleep", "1000")
	must(t, "start", "t-top")
	command := exec.Command(program, "top")
	terminal, err := pty.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	parts := make(chan []byte)
	go func() {
		defer close(parts)
		for {
			part := make([]byte, 4096)
			n, err := terminal.Read(part)
			if parts <- part[:n]; err != nil {
				return
			}
		}
	}()
	const fresh = "\x1b[H\x1b[2J"
	var shown string
	// Two looks, and two seconds between the second and the third.
	for late := time.After(30 * time.Second); strings.Count(shown, fresh) < 3; {
		select {
		case part, more := <-parts:
			if shown += string(part); !more {
				t.Fatalf("it ends by itself: %q, %v", shown, command.Wait())
			}
		case <-late:
			t.Fatalf("it is not shown anew: %q", shown)
		}
	}
	if _, err := terminal.Write([]byte{3}); err != nil { // Control-C
		t.Fatal(err)
	}
	for part := range parts {
		shown += string(part)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("an interrupt: %v", err)
	}
	screens := strings.Split(shown, fresh)
	for _, screen := range screens[1:3] {
		if !regexp.MustCompile(`^NAME +CPU +MEMORY +TASKS +READ +WRITTEN\r\n(?s:.*)t-top +[0-9.]+% +[0-9.]+[KMG]? `).
			MatchString(screen) {
			t.Errorf("a screen is %q", screen)
		}
	}
	if screens[0] != "" {
		t.Errorf("before the first screen there is %q", screens[0])
	}
}
