package content

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/opencontainers/selinux/go-selinux"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// labelled has all that make creates born with the SELinux label of the sandbox's content, so that nothing is ever there
// under another one and no tree that a container could have changed is walked. make must do its work in this goroutine.
func (h Host) labelled(s *config.Sandbox, make func() error) error {
	label := s.FileLabel()
	if h.Root != "" || label == "" || !selinux.GetEnabled() {
		return make()
	}
	// The label is a property of the thread.
	runtime.LockOSThread()
	if err := selinux.SetFSCreateLabel(label); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("label content %s: %w", label, err)
	}
	err := make()
	if resetErr := selinux.SetFSCreateLabel(""); resetErr != nil {
		// The thread is not given back: nobody else may create anything on it.
		return errors.Join(err, fmt.Errorf("end labelling of content: %w", resetErr))
	}
	runtime.UnlockOSThread()
	return err
}
