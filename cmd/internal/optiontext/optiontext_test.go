// SPDX-License-Identifier: Apache-2.0

package optiontext

import (
	"reflect"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

func TestNetworks(t *testing.T) {
	const mac = "mac=52:54:00:12:34:56"
	cases := []struct {
		options []string
		mode    config.NetworkMode
		count   int
		err     string
	}{
		{mode: config.NetworkPrivate},
		{options: []string{"private"}, mode: config.NetworkPrivate},
		{options: []string{"host"}, mode: config.NetworkHost},
		{options: []string{"dhcp"}, mode: config.NetworkPrivate, count: 1},
		{options: []string{"dhcp", "dhcp", "bridge=br0"}, mode: config.NetworkPrivate, count: 3},
		{options: []string{"host", "dhcp"}, err: "host excludes every other -N"},
		{options: []string{"dhcp", "private"}, err: "private excludes every other -N"},
		{options: []string{"host", "host"}, err: "host excludes every other -N"},
		{options: []string{"moon"}, err: `"moon" is not private, host, or an interface such as dhcp,source=default`},
		{options: []string{""}, err: `"" is not private, host, or an interface such as dhcp,source=default`},
		{options: []string{"dhcp", "source=a/b"}, err: `source=a/b: "a/b" is not the name of a libvirt network`},
		{options: []string{mac, "bridge=br0," + mac}, err: "two interfaces have the MAC address 52:54:00:12:34:56"},
		{options: strings.Split(strings.Repeat("dhcp ", 100)+"dhcp", " "), err: "there are more than 100 interfaces"},
	}
	for _, c := range cases {
		mode, interfaces, err := Networks(c.options)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: got %v, want %s", c.options, err, c.err)
			}
			continue
		}
		if err != nil || mode != c.mode || len(interfaces) != c.count {
			t.Errorf("%q: got %s, %v, %v; want %s and %d interfaces", c.options, mode, interfaces, err, c.mode, c.count)
		}
	}
}

func TestSecurity(t *testing.T) {
	const label = "system_u:system_r:container_t:s0:c1,c2"
	base := secontext.Context{User: "u", Role: "r", Type: "t", Level: "s0"}
	cases := []struct {
		option string
		want   config.Security
		err    string
	}{
		{
			"static,label=" + label,
			config.Security{
				Mode:  config.SecurityStatic,
				Label: secontext.Context{User: "system_u", Role: "system_r", Type: "container_t"},
				Level: "s0:c1,c2",
			},
			"",
		},
		{"dynamic", config.Security{Mode: config.SecurityDynamic}, ""},
		{"dynamic,label=u:r:t:s0", config.Security{Mode: config.SecurityDynamic, Label: base}, ""},
		{"inherit", config.Security{Mode: config.SecurityInherit}, ""},
		{"apparmor,profile=lxc-web", config.Security{Mode: config.SecurityStatic, AppArmor: "lxc-web"}, ""},
		{"apparmor,profile=unconfined", config.Security{Mode: config.SecurityStatic, AppArmor: config.AppArmorUnconfined},
			""},
		{"apparmor,profile=", config.Security{Mode: config.SecurityStatic}, "AppArmor profile"},
		{"apparmor", config.Security{}, "security option"},
		{"static", config.Security{}, `security option "static" is not dynamic[,label=…], static,label=…, inherit, or ` +
			`apparmor,profile=…`},
		{"inherit,label=" + label, config.Security{}, "security option"},
		{"enforcing", config.Security{}, "security option"},
		{"dynamic,level=s0", config.Security{}, "security option"},
		{"", config.Security{}, "security option"},
		{"static,label=", config.Security{}, "USER:ROLE:TYPE:LEVEL"},
		{"static,label=u:r:t", config.Security{}, "USER:ROLE:TYPE:LEVEL"},
		{"static,label=u::t:s0", config.Security{}, "USER:ROLE:TYPE:LEVEL"},
		{"static,label=u:r:t t:s0", config.Security{}, "USER:ROLE:TYPE:LEVEL"},
		{"static,label=u:r:t:s1", config.Security{}, `level "s1"`},
		{"static,label=u:r:t:s0-s0:c1", config.Security{}, `level "s0-s0:c1"`},
	}
	for _, c := range cases {
		got, err := Security(c.option)
		if !reflect.DeepEqual(got, c.want) || (err == nil) != (c.err == "") ||
			err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: got %+v, %v; want %+v, %s", c.option, got, err, c.want, c.err)
		}
	}
}

func TestImageSize(t *testing.T) {
	for text, want := range map[string]config.Size{
		"1": 1000000, "500": 500000000, "007": 7000000, "512M": 512 << 20, "2G": 2 << 30, "1T": 1 << 40, "64K": 64 << 10,
		"9223372036854": 9223372036854000000,
	} {
		if got, err := ImageSize(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "0G", "-1", "+1", "1.5G", "1 G", "2g", "2GB", "G", "9223372036855",
		"99999999999999999999", "0x10"} {
		if got, err := ImageSize(text); err == nil || !strings.HasPrefix(err.Error(), "\""+text+"\" is not a size") {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}
