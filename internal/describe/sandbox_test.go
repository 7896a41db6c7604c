// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// What an option sets arrives in the description as it is, and what it leaves out has the default of a config.
func TestTypedOptions(t *testing.T) {
	for _, text := range []string{
		"", "auto", "all", "CAP_SETUID CAP_SETGID", "CAP_KILL", "auto +CAP_SYS_NICE -CAP_NET_RAW",
		"auto -CAP_KILL", "all -CAP_KILL",
	} {
		o := Options{Name: "web", Units: []string{"httpd.service"}}
		want := config.New("web").Hardening.Capabilities.String()
		if text != "" {
			want = text
			var err error
			if o.Capabilities, err = config.ParseCapabilities(text); err != nil {
				t.Fatal(err)
			}
		}
		s, err := New(o)
		if err != nil || s.Hardening.Capabilities.String() != want {
			t.Errorf("capabilities %q: got %q, %v; want %q", text, s.Hardening.Capabilities, err, want)
		}
	}
	for _, ids := range []config.IDMap{{}, {Auto: true}, {Base: 100_000_000, Count: config.IDMapCount}} {
		s, err := New(Options{Name: "web", Units: []string{"httpd.service"}, IDMap: ids})
		if err != nil || s.Hardening.IDMap != ids {
			t.Errorf("ids %v: got %v, %v", ids, s.Hardening.IDMap, err)
		}
	}
	for _, mode := range []config.NetworkMode{"", config.NetworkPrivate, config.NetworkHost} {
		want := config.NetworkPrivate
		if mode != "" {
			want = mode
		}
		s, err := New(Options{Name: "web", Units: []string{"httpd.service"}, Network: mode})
		if err != nil || s.Network != want {
			t.Errorf("network %q: got %q, %v; want %q", mode, s.Network, err, want)
		}
	}
}

// What --include names is private, as what a person lists; a path that is nobody's data, or not there, is a mistake.
func TestInclude(t *testing.T) {
	o := Options{Name: "web", Units: []string{"httpd.service"}, Include: []string{"/etc/passwd"}}
	s, err := New(o)
	want := []config.PrivatePath{{Path: "/etc/passwd", Origin: "admin"}}
	if err != nil || !slices.Equal(s.Private, want) {
		t.Errorf("got %v, %v", s.Private, err)
	}
	for _, p := range []string{"/etc", "/usr/bin/env", "etc/passwd", "/etc/../proc/self", "/etc/no such file", "/var/"} {
		o.Include = []string{p}
		if s, err := New(o); err == nil {
			t.Errorf("%s: got %v", p, s.Private)
		}
	}
}
