package content

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper/seclabel"
)

// labelled has all that make creates born with the SELinux label of the sandbox's content, so that no tree that a container
// could have changed is walked. make must do its work in this goroutine.
func (h Host) labelled(s *config.Sandbox, make func() error) error {
	if h.Root != "" {
		return make()
	}
	return seclabel.Born(seclabel.Labels{Files: s.FileLabel()}, make)
}
