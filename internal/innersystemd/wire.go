// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"encoding/binary"
	"errors"
	"strings"
)

// errWire is returned for a message that is not as the D-Bus specification has it.
var errWire = errors.New("what it says is no D-Bus message")

// wire reads values of a D-Bus message one after the other. What is not there, or not as it ought to be, reads as
// nothing and sets failed. It allocates nothing but the texts that it returns, and skips what it is not asked for: root
// inside writes what it reads, and one that makes a value of everything can be had to fill the memory with a few bytes
// (godbus loops for ever over an array of empty structures).
type wire struct {
	order  binary.ByteOrder
	data   []byte
	at     int
	failed bool
}

// take returns the next n bytes, which remain the message's.
func (w *wire) take(n int) []byte {
	if w.failed || n < 0 || n > len(w.data)-w.at {
		w.failed = true
		return nil
	}
	w.at += n
	return w.data[w.at-n : w.at]
}

func (w *wire) align(boundary int) {
	if past := w.at % boundary; past > 0 {
		w.take(boundary - past)
	}
}

func (w *wire) byte() byte {
	if b := w.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (w *wire) uint32() uint32 {
	w.align(4)
	if b := w.take(4); b != nil {
		return w.order.Uint32(b)
	}
	return 0
}

func (w *wire) uint64() uint64 {
	w.align(8)
	if b := w.take(8); b != nil {
		return w.order.Uint64(b)
	}
	return 0
}

// text reads a string or the path of an object.
func (w *wire) text() string { return w.ended(int64(w.uint32())) }

// signature reads the types of what follows.
func (w *wire) signature() string { return w.ended(int64(w.byte())) }

// ended reads a text of n bytes and the zero after it.
func (w *wire) ended(n int64) string {
	if n >= int64(len(w.data)) {
		w.failed = true
		return ""
	}
	b := w.take(int(n) + 1)
	if b == nil || b[n] != 0 {
		w.failed = true
		return ""
	}
	return string(b[:n])
}

// array reads the length of an array and returns where it ends; its elements begin at a boundary.
func (w *wire) array(boundary int) (end int) {
	n := int64(w.uint32())
	w.align(boundary)
	if w.failed || n > int64(len(w.data)-w.at) {
		w.failed = true
		return w.at
	}
	return w.at + int(n)
}

// in reports whether there is more before end.
func (w *wire) in(end int) bool { return !w.failed && w.at < end }

// maxDepth is how deep values may lie within each other, which are variants mostly: the depth of the stack.
const maxDepth = 64

// variant reads a value of any type: a string, bool, uint32, uint64 or list of strings, the first condition that is not
// met of a list of conditions, or nil for one of another type.
func (w *wire) variant() any {
	switch types := w.signature(); types {
	case "s":
		return w.text()
	case "b":
		return w.uint32() == 1
	case "u":
		return w.uint32()
	case "t":
		return w.uint64()
	case "as":
		return w.texts()
	case "a(sbbsi)":
		return w.unmet()
	default:
		w.skipOne(types, 0)
		return nil
	}
}

// texts reads a list of strings, maxNames of them at most.
func (w *wire) texts() []string {
	var list []string
	for end := w.array(4); w.in(end); {
		if len(list) == maxNames {
			w.at = end
			break
		}
		list = append(list, w.text())
	}
	return list
}

// condition is one of a unit that is not met, as a unit file has it.
type condition string

// unmet reads a list of conditions (org.freedesktop.systemd1(5), Conditions) and returns the first that is not met.
func (w *wire) unmet() (first condition) {
	for end := w.array(8); w.in(end); {
		w.align(8)
		kind := w.text()
		isTrigger, isNegated := w.uint32() == 1, w.uint32() == 1
		value := w.text()
		// 0 is one that was not looked at.
		if result := int32(w.uint32()); result >= 0 || first != "" {
			continue
		}
		first = condition(kind + "=")
		if isTrigger {
			first += "|"
		}
		if isNegated {
			first += "!"
		}
		first += condition(value)
	}
	return first
}

// skip passes over values of all types of a signature.
func (w *wire) skip(types string, depth int) {
	for types != "" && !w.failed {
		first, rest := cutType(types)
		w.skipOne(first, depth)
		types = rest
	}
}

// skipOne passes over one value. An array goes in one step, however many elements it has, and of whatever type.
func (w *wire) skipOne(of string, depth int) {
	if first, rest := cutType(of); first == "" || rest != "" || depth > maxDepth {
		w.failed = true
		return
	}
	switch of[0] {
	case 'a':
		end := w.array(boundary(of[1]))
		w.at = end
	case '(':
		w.align(8)
		w.skip(of[1:len(of)-1], depth+1)
	case 'v':
		w.skipOne(w.signature(), depth+1)
	case 's', 'o':
		w.text()
	case 'g':
		w.signature()
	case 'y':
		w.byte()
	case 'n', 'q':
		w.align(2)
		w.take(2)
	case 'b', 'u', 'i', 'h':
		w.uint32()
	default:
		w.uint64()
	}
}

// cutType splits a signature behind its first complete type; that is "" for what is none.
func cutType(types string) (first, rest string) {
	n := 0
	for n < len(types) && types[n] == 'a' {
		n++
	}
	if n == len(types) {
		return "", ""
	}
	for open := 0; n < len(types); {
		switch c := types[n]; {
		case c == '(' || c == '{':
			open++
		case c == ')' || c == '}':
			open--
		case !strings.ContainsRune("aybnqiuxtdsogvh", rune(c)):
			return "", ""
		}
		n++
		if open == 0 {
			return types[:n], types[n:]
		}
		if open < 0 {
			return "", ""
		}
	}
	return "", ""
}

// boundary is where values of a type begin, in bytes.
func boundary(of byte) int {
	switch of {
	case 'y', 'g', 'v':
		return 1
	case 'n', 'q':
		return 2
	case 'b', 'u', 'i', 'h', 's', 'o', 'a':
		return 4
	}
	return 8
}
