// SPDX-License-Identifier: Apache-2.0

// Package specifier expands what stands for names in values of configs, as systemd.unit(5) has it: %i for an instance.
// In: a value and the name of a sandbox. Out: the value with what it stands for, which is not checked here. Package
// config calls it.
package specifier

import (
	"fmt"
	"os"
	"strings"
)

const msgUnknown = "%q is not known; known are %%i, %%I, %%j, %%n, %%p and %%H, and %%%% is a percent sign"

// Names is what specifiers stand for.
type Names struct {
	name             string
	prefix, instance string
	// Hostname is that of the host; nil asks the kernel.
	Hostname func() (string, error)
}

// Of returns those of a sandbox.
func Of(name string) Names {
	prefix, instance, _ := strings.Cut(name, "@")
	return Names{name: name, prefix: prefix, instance: instance, Hostname: os.Hostname}
}

// Expand returns a value with what its specifiers stand for. Where an address can follow a percent sign, such a sign
// stands for itself.
func (n Names) Expand(value string, addresses bool) (string, error) {
	if !strings.Contains(value, "%") {
		return value, nil
	}
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' || addresses && beginsAddress(value[i+1:]) {
			out.WriteByte(value[i])
			continue
		}
		i++
		if i == len(value) {
			return "", fmt.Errorf(msgUnknown, "%")
		}
		what, err := n.of(value[i:])
		if err != nil {
			return "", err
		}
		out.WriteString(what)
	}
	return out.String(), nil
}

func (n Names) of(rest string) (string, error) {
	switch rest[0] {
	case '%':
		return "%", nil
	case 'i':
		return n.instance, nil
	case 'I':
		// A backslash, which would escape, is in no name.
		return strings.ReplaceAll(n.instance, "-", "/"), nil
	case 'j':
		return n.prefix[strings.LastIndexByte(n.prefix, '-')+1:], nil
	case 'n':
		return n.name, nil
	case 'p':
		return n.prefix, nil
	case 'H':
		return n.Hostname()
	}
	for _, r := range rest {
		rest = string(r)
		break
	}
	return "", fmt.Errorf(msgUnknown, "%"+rest)
}

// Escape returns a value that Expand makes the one given of.
func Escape(value string, addresses bool) string {
	if !strings.Contains(value, "%") {
		return value
	}
	var out strings.Builder
	for i := range len(value) {
		out.WriteByte(value[i])
		if value[i] == '%' && !(addresses && beginsAddress(value[i+1:])) {
			out.WriteByte('%')
		}
	}
	return out.String()
}

// beginsAddress reports whether a text can be an IP address: no specifier is a hexadecimal digit.
func beginsAddress(text string) bool {
	return text != "" && strings.IndexByte("0123456789abcdefABCDEF:", text[0]) >= 0
}
