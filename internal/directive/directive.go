// SPDX-License-Identifier: Apache-2.0

// Package directive knows what becomes of the directives of systemd that a config has in [unit] and [service]: a table
// of them, by which they are passed on to the host's unit, carried to where they work, or refused with the key that
// does what they mean. In: their names and values; out: that. The table in virt-sandbox.config(5) is made from it.
// Package config, the texts of units and what starts a container call it; it asks nothing of the host.
package directive

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/virt-sandbox/virt-sandbox/internal/bytesize"
	"github.com/virt-sandbox/virt-sandbox/internal/suggest"
)

// Sections of a config that have directives.
const (
	Unit    = "unit"
	Service = "service"
)

// Place is where a directive counts.
type Place int

// The places. Those that are refused count nowhere.
const (
	Host    Place = iota // in the unit on the host
	Inside               // in the units of the sandbox, inside
	Group                // at the container's cgroup
	Refused              // another key does what it means
	Own                  // the unit on the host stands on it
)

// row says the same of some directives.
type row struct {
	section string
	names   string // with spaces between
	place   Place
	text    string // for people: what it does, or what to write in its place
}

const (
	msgOwn     = "%s= is what the container's unit stands on and cannot be changed here"
	msgRefused = "%s= would be about the helper beside the container; %s"
	msgUnknown = "%s= in [%s] is no directive that this program knows%s"
	msgWeight  = "%s=%s is not a weight from 1 to 10000"
	msgSize    = "%s=%s is not a size such as 512M or 2G, or infinity"
	msgCPUs    = "%s=%s is not a list of processors such as 0-3,6"
	msgNoFile  = "%s=%s: a container can have no more than %d"
)

// MostFiles is how many files a process of a container can have open at most.
const MostFiles = 524288

type key struct{ section, name string }

var index = sync.OnceValue(func() map[key]*row {
	rows := table()
	all := make(map[key]*row, 512)
	for i := range rows {
		for name := range strings.FieldsSeq(rows[i].names) {
			all[key{rows[i].section, name}] = &rows[i]
		}
	}
	return all
})

// PlaceOf returns where a directive counts. One that is not known is passed on: systemd may know it.
func PlaceOf(section, name string) Place {
	if r := index()[key{section, name}]; r != nil {
		return r.place
	}
	return Host
}

// Check reports whether a directive can be in a config, with what to write in its place. One that is not known can.
func Check(section, name, value string) error {
	r := index()[key{section, name}]
	switch {
	case r == nil:
	case r.place == Own:
		return fmt.Errorf(msgOwn, name)
	case r.place == Refused:
		return fmt.Errorf(msgRefused, name, r.text)
	case value != "" && r.place == Group:
		_, err := GroupValue(name, value)
		return err
	case name == "LimitNOFILE":
		for number := range strings.SplitSeq(value, ":") {
			if n, err := strconv.ParseUint(number, 10, 64); number == "infinity" || err == nil && n > MostFiles {
				return fmt.Errorf(msgNoFile, name, value, MostFiles)
			}
		}
	}
	return nil
}

// CheckKnown refuses a directive that systemd would warn about, with what may be meant.
func CheckKnown(section, name string) error {
	if index()[key{section, name}] != nil {
		return nil
	}
	var names []string
	for k := range index() {
		if k.section == section {
			names = append(names, k.name)
		} else if k.name == name {
			return fmt.Errorf(msgUnknown, name, section, "; it belongs to ["+k.section+"]")
		}
	}
	slices.Sort(names)
	return fmt.Errorf(msgUnknown, name, section, suggest.DidYouMean("%s=", name, names))
}

// GroupValue returns the value of a directive as a cgroup of version 2 takes it.
func GroupValue(name, value string) (string, error) {
	switch name {
	case "CPUWeight", "IOWeight":
		if n, err := strconv.ParseUint(value, 10, 32); err != nil || n < 1 || n > 10000 {
			return "", fmt.Errorf(msgWeight, name, value)
		}
		return value, nil
	case "AllowedCPUs", "AllowedMemoryNodes":
		text := strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' }), ",")
		if text == "" || strings.Trim(text, "0123456789,-") != "" {
			return "", fmt.Errorf(msgCPUs, name, value)
		}
		return text, nil
	}
	if value == "infinity" {
		return "max", nil
	}
	size, ok := bytesize.Parse(value)
	if !ok {
		return "", fmt.Errorf(msgSize, name, value)
	}
	return strconv.FormatUint(uint64(size), 10), nil
}

// SandboxSuffix ends a word of a dependency that stands for the unit of another sandbox.
const SandboxSuffix = ".sandbox"

// Sandboxes returns the other sandboxes that the value of a directive of [unit] names.
func Sandboxes(name, value string) (names []string) {
	if !strings.Contains(value, SandboxSuffix) || !isDependency(name) {
		return nil
	}
	for word := range strings.FieldsSeq(value) {
		if sandbox, found := strings.CutSuffix(word, SandboxSuffix); found && sandbox != "" {
			names = append(names, sandbox)
		}
	}
	return names
}

// WithUnits returns the value of a directive of [unit] with the units of the sandboxes that it names.
func WithUnits(name, value string, unitOf func(sandbox string) string) string {
	if len(Sandboxes(name, value)) == 0 {
		return value
	}
	words := strings.Fields(value)
	for i, word := range words {
		if sandbox, found := strings.CutSuffix(word, SandboxSuffix); found && sandbox != "" {
			words[i] = cmp.Or(unitOf(sandbox), word)
		}
	}
	return strings.Join(words, " ")
}

func isDependency(name string) bool {
	return slices.Contains(strings.Fields(dependencies), name)
}
