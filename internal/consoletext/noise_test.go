// SPDX-License-Identifier: Apache-2.0

package consoletext

import (
	"slices"
	"strings"
	"testing"
)

// TestNoise: what every boot says is left out, and nothing else, in whatever pieces it comes.
func TestNoise(t *testing.T) {
	const (
		banner = "systemd 252.39-1 running in system mode (+PAM +AUDIT)\nDetected virtualization lxc-libvirt.\n" +
			"Detected architecture x86-64.\nQueued start job for default target multi-user.target.\n"
		fault = "Failed to mount /run: No such device\n"
	)
	for text, want := range map[string]string{
		banner: "", fault: fault, banner + fault: fault, fault + banner: fault, "": "",
		"login: ": "login: ", "Detected": "Detected", "Detected x\n": "Detected x\n", "systemd": "systemd",
		"systemd-journald[1]: x\n": "systemd-journald[1]: x\n", "systemd 252 fails\n": "systemd 252 fails\n",
		"systemd x\n": "systemd x\n", "\n\n": "\n\n", "say Detected virtualization x\n": "say Detected virtualization x\n",
		"systemd " + strings.Repeat("x", 3000) + " y\n": "systemd " + strings.Repeat("x", 3000) + " y\n",
	} {
		for _, piece := range []int{1, 3, 7, 5000} {
			var out strings.Builder
			n := noise{out: &out}
			for part := range slices.Chunk([]byte(text), piece) {
				if _, err := n.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			n.flush()
			if out.String() != want {
				t.Errorf("%.40q in pieces of %d gives %.40q, want %.40q", text, piece, out.String(), want)
			}
		}
	}
	var out strings.Builder
	n := noise{out: &out}
	if _, err := n.Write([]byte("Password: ")); err != nil || out.String() != "Password: " {
		t.Errorf("a question waits: %q, %v", out.String(), err)
	}
}

// FuzzNoise: of lines that do not begin as a greeting does nothing is lost.
func FuzzNoise(f *testing.F) {
	f.Add("systemd 1 running in system mode (x\nfault\n", 3)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		var out strings.Builder
		n := noise{out: &out}
		for part := range slices.Chunk([]byte(text), max(piece, 1)) {
			_, _ = n.Write(part)
			if len(n.held) > maxHeld {
				t.Fatalf("%d bytes are held", len(n.held))
			}
		}
		n.flush()
		var want strings.Builder
		for line := range strings.Lines(text) {
			if is, _ := greets(line); !is || !strings.HasSuffix(line, "\n") || len(line) > maxHeld {
				want.WriteString(line)
			}
		}
		if got := out.String(); got != want.String() && len(text) < maxHeld {
			t.Errorf("got %q, want %q", got, want.String())
		}
	})
}
