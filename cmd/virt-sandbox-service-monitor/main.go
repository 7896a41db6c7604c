// Command virt-sandbox-service-monitor watches a container that is up; the helper turns into it.
package main

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/helper/monitor"
)

func main() {
	// Stopping the container is another program's work; when it has ended, this one ends too.
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	files, err := monitor.Open(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", monitor.Program, err)
		os.Exit(2)
	}
	status, err := monitor.Run(files, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", monitor.Program, err)
		os.Exit(1)
	}
	os.Exit(status)
}
