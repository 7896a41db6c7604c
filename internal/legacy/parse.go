// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// How far the legacy tool counted.
const (
	maxCounted  = 1024
	maxNetworks = 100
)

// Parse reads a legacy config. file is what errors call it. What it does not know is kept for the notes of Sandbox.
// Errors are of type *config.SyntaxError.
func Parse(file, text string) (*Config, error) {
	k, err := parseKeyFile(file, text)
	if err != nil {
		return nil, err
	}
	r := &reader{keyFile: k}
	c := r.config()
	if r.err != nil {
		return nil, r.err
	}
	c.File = file
	c.lines, c.unknown = r.lines(), r.unused()
	return c, nil
}

// reader takes values out of a key file; the first mistake stays.
type reader struct {
	*keyFile
	err error
}

func (r *reader) fail(line int, format string, args ...any) {
	if r.err == nil {
		r.err = &config.SyntaxError{File: r.file, Line: line, Message: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) get(name, key string) *entry {
	g := r.groups[name]
	if g == nil || g.entries[key] == nil {
		return nil
	}
	g.entries[key].used = true
	return g.entries[key]
}

func (r *reader) text(name, key, absent string) string {
	if e := r.get(name, key); e != nil {
		return e.text
	}
	return absent
}

// needed is text of a key that cannot be left out.
func (r *reader) needed(name, key string) string {
	e := r.get(name, key)
	if e == nil {
		line := 0
		if g := r.groups[name]; g != nil {
			line = g.line
		}
		r.fail(line, "[%s] lacks %s=", name, key)
		return ""
	}
	return e.text
}

func (r *reader) boolean(name, key string, absent bool) bool {
	e := r.get(name, key)
	if e == nil {
		return absent
	}
	switch strings.TrimRight(e.text, " \t") {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	r.fail(e.line, "%s=%s is not true or false", key, e.text)
	return false
}

func (r *reader) number(name, key string, bits int) uint64 {
	e := r.get(name, key)
	if e == nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(e.text), 10, bits)
	if err != nil {
		r.fail(e.line, "%s=%s is not a number that it can be", key, e.text)
	}
	return n
}

func (r *reader) config() *Config {
	c := &Config{
		Class:         Class(r.needed("api", "class")),
		Name:          r.text("core", "name", "sandbox"),
		UUID:          r.text("core", "uuid", ""),
		Root:          r.text("core", "root", "/"),
		Arch:          r.text("core", "arch", ""),
		KernelRelease: r.text("core", "kernrelease", ""),
		KernelPath:    r.text("core", "kernpath", ""),
		ModulesPath:   r.text("core", "kmodpath", ""),
		Shell:         r.boolean("core", "shell", false),
		Debug:         r.boolean("core", "debug", false),
		Verbose:       r.boolean("core", "verbose", false),
		UID:           uint32(r.number("identity", "uid", 32)),
		GID:           uint32(r.number("identity", "gid", 32)),
		User:          r.text("identity", "username", ""),
		Home:          r.text("identity", "homedir", ""),
		Label:         r.text("security", "label", ""),
		Dynamic:       r.boolean("security", "dynamic", true),
	}
	r.get("api", "version") // The legacy tool did not read it either.
	for _, n := range r.counted("mount", maxCounted) {
		c.Mounts = append(c.Mounts, r.mount(n))
	}
	for _, n := range r.counted("env", maxCounted) {
		c.Environment = append(c.Environment, Variable{r.needed(n, "key"), r.needed(n, "value"), r.groups[n].line})
	}
	for _, n := range r.counted("disk", maxCounted) {
		c.Disks = append(c.Disks, Disk{
			Type: r.needed(n, "type"), Tag: r.needed(n, "tag"),
			Source: r.needed(n, "source"), Format: r.needed(n, "format"), Line: r.groups[n].line,
		})
	}
	for _, n := range r.counted("network", maxNetworks) {
		c.Networks = append(c.Networks, r.network(n))
	}
	switch c.Class {
	case ClassSystemd:
		c.BootTarget = r.needed("service", "bootTarget")
	case ClassGeneric, ClassInteractive:
		for i := 0; ; i++ {
			e := r.get("command", "argv."+strconv.Itoa(i))
			if e == nil {
				break
			}
			c.Command = append(c.Command, e.text)
		}
		if len(c.Command) == 0 {
			r.needed("command", "argv.0")
		}
		c.TTY = r.boolean("interactive", "tty", false)
	default:
		r.fail(r.line("api", "class"), "class=%s is not a class of libvirt-sandbox", c.Class)
	}
	return c
}

// counted returns the groups KIND.N, N from 0 with gaps, that are there.
func (r *reader) counted(kind string, most int) []string {
	var found []string
	for n := range most {
		name := kind + "." + strconv.Itoa(n)
		if r.groups[name] != nil {
			found = append(found, name)
		}
	}
	return found
}

// listed is counted for lists, which end at the first gap.
func (r *reader) listed(kind string, most int) []string {
	found := r.counted(kind, most)
	for n, name := range found {
		if name != kind+"."+strconv.Itoa(n) {
			return found[:n]
		}
	}
	return found
}

func (r *reader) mount(n string) Mount {
	m := Mount{Target: r.needed(n, "target"), Line: r.groups[n].line}
	kind, known := strings.CutPrefix(r.needed(n, "type"), mountPrefix)
	m.Kind = MountKind(kind)
	switch m.Kind {
	case RAM:
		r.needed(n, "usage")
		m.Usage = r.number(n, "usage", 63)
	case HostImage:
		m.Format = r.needed(n, "format")
		m.Source = r.needed(n, "source")
	case HostBind, GuestBind:
		m.Source = r.needed(n, "source")
	default:
		known = false
	}
	if !known {
		r.fail(r.line(n, "type"), "type=%s is not a kind of mount", r.text(n, "type", ""))
	}
	for _, i := range r.listed(n+".include", maxCounted) {
		m.Includes = append(m.Includes, Include{
			Source: r.needed(i, "src"), Target: r.needed(i, "dst"), Line: r.groups[i].line,
		})
	}
	return m
}

func (r *reader) network(n string) Network {
	network := Network{
		DHCP: r.boolean(n, "dhcp", true), Source: r.text(n, "source", ""), MAC: r.text(n, "mac", ""),
		Filter: r.text(n+".filterref", "filter", ""), Line: r.groups[n].line,
	}
	// The legacy tool wrote these numbers and did not read them.
	r.get(n, "addresses")
	r.get(n, "routes")
	for _, a := range r.listed(n+".address", maxNetworks) {
		r.needed(a, "prefix")
		network.Addresses = append(network.Addresses, Address{
			IP: r.needed(a, "primary"), Broadcast: r.text(a, "broadcast", ""),
			Prefix: uint32(r.number(a, "prefix", 8)), Line: r.groups[a].line,
		})
	}
	for _, t := range r.listed(n+".route", maxNetworks) {
		r.needed(t, "prefix")
		network.Routes = append(network.Routes, Route{
			Target: r.needed(t, "target"), Gateway: r.needed(t, "gateway"),
			Prefix: uint32(r.number(t, "prefix", 8)), Line: r.groups[t].line,
		})
	}
	for _, p := range r.counted(n+".filterref", maxNetworks) {
		parameter := Parameter{r.needed(p, "name"), r.needed(p, "value"), r.groups[p].line}
		network.Parameters = append(network.Parameters, parameter)
	}
	return network
}

func (r *reader) line(name, key string) int {
	if g := r.groups[name]; g != nil && g.entries[key] != nil {
		return g.entries[key].line
	}
	return 0
}

func (r *reader) lines() map[string]int {
	lines := make(map[string]int)
	for name, g := range r.groups {
		lines[name] = g.line
		for key, e := range g.entries {
			lines[name+"/"+key] = e.line
		}
	}
	return lines
}

// unused lists what nobody asked for.
func (r *reader) unused() []place {
	var left []place
	for _, name := range r.names {
		for _, key := range r.groups[name].keys {
			if e := r.groups[name].entries[key]; !e.used {
				left = append(left, place{e.line, fmt.Sprintf("[%s] %s= is not known", name, key)})
			}
		}
	}
	slices.SortFunc(left, func(a, b place) int { return cmp.Compare(a.line, b.line) })
	return left
}
