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
	// A journal that goes away must not end what it reads.
	signal.Ignore(unix.SIGINT, unix.SIGHUP, unix.SIGPIPE)
	files, err := monitor.Open(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", monitor.Program, err)
		os.Exit(2)
	}
	// Whoever ends this process means the container: systemd, where the unit's own words are gone, or a person.
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, unix.SIGTERM)
	go func() {
		for range terminate {
			files.Shutdown()
		}
	}()
	go files.KeepNetwork(func(text string) { fmt.Fprintln(os.Stderr, text) })
	status, err := monitor.Run(files, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", monitor.Program, err)
		os.Exit(1)
	}
	os.Exit(status)
}
