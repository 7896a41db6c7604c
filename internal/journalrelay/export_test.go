// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// binaryField is a field in the form for values of any bytes.
func binaryField(name, value string) string {
	size := binary.LittleEndian.AppendUint64(nil, uint64(len(value)))
	return name + "\n" + string(size) + value + "\n"
}

// TestReadEntry: what is an entry is read, with no more of a value than is kept, and what is none is told.
func TestReadEntry(t *testing.T) {
	long := strings.Repeat("x", maxMessage+5000)
	for _, c := range []struct {
		name, text string
		want       entry
		err        error
	}{
		{"words", "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=17\nPRIORITY=3\nMESSAGE=hello\n_SYSTEMD_UNIT=a.service\n\n",
			entry{cursor: "s=1;i=2", time: 17, priority: "3", message: "hello", hasMessage: true, unit: "a.service"}, nil},
		{"any bytes", binaryField("MESSAGE", "a\nPRIORITY=0\n\n\x00b") + "UNIT=b.service\n\n",
			entry{message: "a\nPRIORITY=0\n\n\x00b", hasMessage: true, about: "b.service"}, nil},
		{"a field twice", "PRIORITY=3\nPRIORITY=0\nMESSAGE=a\nMESSAGE=b\n\n",
			entry{priority: "3", message: "a", hasMessage: true}, nil},
		{"a long text", "MESSAGE=" + long + "\n_PID=1\n\n",
			entry{message: long[:maxMessage], hasMessage: true, cut: true, process: "1"}, nil},
		{"a long value", binaryField("MESSAGE", long) + "_PID=1\n\n",
			entry{message: long[:maxMessage], hasMessage: true, cut: true, process: "1"}, nil},
		{"no time", "__REALTIME_TIMESTAMP=-1\n\n", entry{}, nil},
		{"nothing", "", entry{}, io.EOF},
		{"half", "__CURSOR=a\nMESSAGE=ab", entry{cursor: "a"}, io.ErrUnexpectedEOF},
		{"half a name", "__CURSOR=a\nMESS", entry{cursor: "a"}, io.ErrUnexpectedEOF},
		{"no end", "__CURSOR=a\n", entry{cursor: "a"}, io.ErrUnexpectedEOF},
		{"a size without an end", "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc", entry{}, io.ErrUnexpectedEOF},
		{"a long name", strings.Repeat("A", 80) + "=a\n\n", entry{}, errFormat},
		{"an empty entry", "\n", entry{}, errFormat},
		{"more than the size", "MESSAGE\n\x01\x00\x00\x00\x00\x00\x00\x00abc\n\n", entry{}, errFormat},
	} {
		got, err := readEntry(bufio.NewReader(strings.NewReader(c.text)))
		if !errors.Is(err, c.err) || *got != c.want {
			t.Errorf("%s: got %.200v, %v; want %.200v, %v", c.name, *got, err, c.want, c.err)
		}
	}
}

// TestForHost: an entry of a container is harmless, no emergency, and of no unit but the sandbox's.
func TestForHost(t *testing.T) {
	e := entry{
		time: 17, message: "\x1b[2Ja\r\nb\n", hasMessage: true, cut: true, priority: "0", identifier: "x\ny",
		process: "7x", unit: systemdScope, about: "web.service\n_SYSTEMD_UNIT=ssh.service",
	}
	got := make(map[string]string)
	for _, f := range e.forHost("box") {
		if strings.HasPrefix(f.name, "_") {
			t.Errorf("field %s is the host's", f.name)
		}
		got[f.name] = f.value
	}
	for name, want := range map[string]string{
		"MESSAGE": "?[2Ja\nb…", "PRIORITY": "1", "SYSLOG_IDENTIFIER": "x?y", "SANDBOX": "box", "SANDBOX_TIMESTAMP": "17",
		"SANDBOX_UNIT": "web.service?_SYSTEMD_UNIT=ssh.service", "SANDBOX_PID": "",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for text, want := range map[string]int{"": info, "8": info, "-1": info, "0": alert, "1": alert, "7": 7, "4": warning} {
		if got := priorityOf(text); got != want {
			t.Errorf("priority %q is %d, want %d", text, got, want)
		}
	}
	e = entry{command: "sh", unit: "a.service"}
	if got := e.forHost("box")[2].value; got != "sh" {
		t.Errorf("without an identifier it is %q", got)
	}
}

// FuzzReadEntry: any bytes are entries or an error, with bounded values.
func FuzzReadEntry(f *testing.F) {
	f.Add([]byte("__CURSOR=s=1\nMESSAGE=hello\n\nMESSAGE=again\n\n"))
	f.Add([]byte(binaryField("MESSAGE", "a\n\nb") + "\n"))
	f.Add([]byte("MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		in := bufio.NewReader(bytes.NewReader(text))
		for n := 0; ; n++ {
			e, err := readEntry(in)
			if len(e.message) > maxMessage || len(e.cursor)+len(e.unit)+len(e.about) > 3*maxValue {
				t.Fatalf("%d bytes of a message", len(e.message))
			}
			for _, f := range e.forHost("box") {
				if strings.ContainsAny(f.value, "\x00\x1b\r") || f.name != "MESSAGE" && strings.Contains(f.value, "\n") {
					t.Fatalf("%s is %q", f.name, f.value)
				}
			}
			if err != nil {
				return
			}
			if n > len(text) {
				t.Fatal("more entries than bytes")
			}
		}
	})
}
