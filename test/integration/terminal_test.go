// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

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
