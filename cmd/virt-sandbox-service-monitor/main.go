// SPDX-License-Identifier: Apache-2.0

// Command virt-sandbox-service-monitor watches a container that is up; the helper turns into it.
package main

import (
	"os"

	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/version"
)

func main() {
	if version.IsAsked(os.Args) {
		_, _ = os.Stdout.WriteString(version.Line("virt-sandbox-service-monitor"))
		return
	}
	os.Exit(monitor.Main(os.Args, func(*monitor.Files) {}))
}
