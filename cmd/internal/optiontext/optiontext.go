// SPDX-License-Identifier: Apache-2.0

// Package optiontext reads the options of the command line whose text has a form that configs do not have. In: the text
// as it was typed; out: types of config, or what is wrong with the text. Only the programs in cmd call it. What is also
// the text of a config's key is read by config.
package optiontext

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
)

// Show reads a --show option, a path of the host that is seen at the same place, and returns the text of the -m that
// does so too.
func Show(path string) (string, error) {
	if err := config.CheckPath(path); err != nil {
		return "", err
	}
	text := string(config.MountHostShow) + ":" + path + "=" + path
	_, err := config.ParseMount(text)
	return text, err
}

// Networks reads the -N options of a sandbox: private or host alone, or interfaces. None of them is private.
func Networks(options []string) (config.NetworkMode, []config.Interface, error) {
	mode := config.NetworkPrivate
	var interfaces []config.Interface
	for _, option := range options {
		if option == string(config.NetworkPrivate) || option == string(config.NetworkHost) {
			if len(options) > 1 {
				return "", nil, fmt.Errorf("%s excludes every other -N", option)
			}
			mode = config.NetworkMode(option)
			continue
		}
		i, err := nic.Parse(option)
		if err != nil && !strings.ContainsAny(option, ",=") {
			return "", nil, fmt.Errorf("%q is not private, host, or an interface such as dhcp,source=default", option)
		}
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", option, err)
		}
		interfaces = append(interfaces, i)
	}
	return mode, interfaces, config.CheckInterfaces(mode, interfaces)
}

// Security reads -s: dynamic[,label=U:R:T:L], static,label=U:R:T:L, inherit or apparmor,profile=NAME.
func Security(option string) (config.Security, error) {
	if profile, found := strings.CutPrefix(option, "apparmor,profile="); found {
		return config.Security{Mode: config.SecurityStatic, AppArmor: profile}, config.CheckProfile(profile)
	}
	mode, label, labelled := strings.Cut(option, ",label=")
	security := config.Security{Mode: config.SecurityMode(mode)}
	valid := false
	switch security.Mode {
	case config.SecurityStatic:
		valid = labelled
	case config.SecurityDynamic:
		valid = true
	case config.SecurityInherit:
		valid = !labelled
	}
	if !valid {
		return config.Security{}, fmt.Errorf("security option %q is not dynamic[,label=…], static,label=…, inherit, or "+
			"apparmor,profile=…", option)
	}
	if !labelled {
		return security, nil
	}
	context, err := config.ParseLabel(label)
	if err != nil {
		return config.Security{}, err
	}
	security.SetLabel(context)
	return security, nil
}

// ImageSize reads -i: a bare number is of MB of 10^6 bytes, as the original libvirt-sandbox had it; with a suffix it is
// what config.ParseSize reads.
func ImageSize(option string) (config.Size, error) {
	const megabyte = 1000000
	if n, err := strconv.ParseUint(option, 10, 63); err == nil && n > 0 && n <= math.MaxInt64/megabyte {
		return config.Size(n * megabyte), nil
	}
	size, err := config.ParseSize(option)
	if err != nil || size == 0 || strings.Trim(option, "0123456789") == "" {
		return 0, fmt.Errorf("%q is not a size such as 500 (MB of 1000000 bytes), 512M or 2G", option)
	}
	return size, nil
}
