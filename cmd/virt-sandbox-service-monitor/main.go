// Command virt-sandbox-service-monitor watches a container that is up; the helper turns into it.
package main

import (
	"os"

	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
)

func main() { os.Exit(monitor.Main(os.Args, func(*monitor.Files) {})) }
