// SPDX-License-Identifier: Apache-2.0

package logview

import (
	"io"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Who is not root is told why there is nothing to read, in place of a journal that is empty in silence.
func TestRelayedIsRefused(t *testing.T) {
	service, command := config.New("web"), config.New("job")
	service.Units = []string{"web.service"}
	command.Command = []string{"/bin/true"}
	silent := config.New("silent")
	silent.Units, silent.Forward = service.Units, config.ForwardNo
	for _, c := range []struct {
		name       string
		sandbox    *config.Sandbox
		hasSystemd bool
		options    Options
		want       string
	}{
		{"a unit of a command", command, true, Options{Unit: "x"}, "job runs a command and has no units"},
		{"no systemd", service, false, Options{}, "the host runs no systemd"},
		{"nothing passed on", silent, true, Options{}, "silent passes nothing on to the host's journal (forward=no"},
		{"no unit's name", service, true, Options{Unit: "a b"}, "a b"},
		{"no form", service, true, Options{Output: "x"}, "is not one of"},
	} {
		_, err := Relayed(t.Context(), c.sandbox, c.hasSystemd, c.options, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
