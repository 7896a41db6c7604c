// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Main is what the programs do: it watches the container of the arguments and gives the exit status. What a program
// does beside that, beside starts.
func Main(args []string, beside func(*Files)) int {
	// A journal that goes away must not end what it reads.
	signal.Ignore(unix.SIGINT, unix.SIGHUP, unix.SIGPIPE)
	files, err := Open(args[1:])
	if err != nil {
		complain(os.Stderr, args, err)
		return 2
	}
	// Whoever ends this process means the container: systemd, where the unit's own words are gone, or a person.
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, unix.SIGTERM)
	go func() {
		for range terminate {
			files.Shutdown()
		}
	}()
	beside(files)
	status, err := Run(files, os.Stdout)
	if err != nil {
		complain(os.Stderr, args, err)
		return 1
	}
	return status
}

func complain(out io.Writer, args []string, err error) { fmt.Fprintf(out, "%s: %v\n", args[0], err) }
