// SPDX-License-Identifier: Apache-2.0

// Command virt-sandbox-service-monitor-dhcp watches a container that is up and renews the leases of its network; the
// helper turns into it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/version"
)

func main() {
	if version.IsAsked(os.Args) {
		_, _ = os.Stdout.WriteString(version.Line("virt-sandbox-service-monitor-dhcp"))
		return
	}
	os.Exit(monitor.Main(os.Args, keep))
}

func keep(files *monitor.Files) {
	say := func(text string) { fmt.Fprintln(os.Stderr, text) }
	go func() {
		if err := network.Keep(context.Background(), files.Runtime, files.Init, say); err != nil {
			say(err.Error())
		}
	}()
}
