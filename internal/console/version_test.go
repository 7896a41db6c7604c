// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// Ends of different versions refuse each other before anything of a command passes, and say what to do; what is no end
// of ours is refused too.
func TestAnotherVersion(t *testing.T) {
	for _, c := range []struct {
		name, magic string
		version     uint16
		want        string
	}{
		{"a later one", magic, Version + 1, "it speaks version 2, and this end 1; use programs of one release"},
		{"an earlier one", magic, Version - 1, "it speaks version 0, and this end 1; use programs of one release"},
		{"another program", strings.ToUpper(magic), Version, "no hello"},
	} {
		hello := frame{kind: kindHello, payload: binary.BigEndian.AppendUint16([]byte(c.magic), c.version)}
		said := string(appendFrame(appendFrame(nil, hello), Start{}.frame()))
		_, served := Serve(script{strings.NewReader(said)})
		for end, err := range map[string]error{"the caller": Greet(script{strings.NewReader(said)}), "init": served} {
			if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s meets %s: %v", end, c.name, err)
			}
		}
	}
}
