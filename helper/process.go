package helper

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// initOf finds the first process of the container that a libvirt_lxc controller runs: its child that is number 1 in its
// own PID namespace. Errors: proc.ErrNoFirst while there is no container yet, or no more.
func initOf(controller int) (int, error) {
	// Looking at all processes for each container would cost hundreds of them the square of their number.
	if pid := notedInit(controller); pid > 0 && proc.Host.IsFirst(pid, controller) {
		return pid, nil
	}
	pid, err := proc.Host.FindFirst(controller)
	if err != nil && !errors.Is(err, proc.ErrNoFirst) {
		return 0, fmt.Errorf("look for the container's first process: %w", err)
	}
	return pid, err
}

// notedInit gives the first process that libvirt notes in the state of a domain, once its controller has told it; 0 where it
// has not.
func notedInit(controller int) int {
	arguments, err := proc.Host.Arguments(controller)
	if err != nil {
		return 0
	}
	name := controlled(arguments)
	if config.CheckName(name) != nil {
		return 0
	}
	state, err := os.Open(filepath.Join(libvirtState, name+".xml"))
	if err != nil {
		return 0
	}
	defer state.Close()
	for tokens := xml.NewDecoder(state); ; {
		token, err := tokens.Token()
		if err != nil {
			return 0
		}
		element, begins := token.(xml.StartElement)
		switch {
		case begins && element.Name.Local == "init":
			for _, a := range element.Attr {
				if pid, err := strconv.Atoi(a.Value); err == nil && a.Name.Local == "pid" {
					return pid
				}
			}
			return 0
		case begins && element.Name.Local == "domain":
			// The long part, which follows.
			return 0
		}
	}
}
