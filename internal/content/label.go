// SPDX-License-Identifier: Apache-2.0

package content

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/selinux/go-selinux"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/seclabel"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// SELinux reports whether the host's kernel runs it.
func (h Host) SELinux() bool {
	if h.Root == "" {
		return selinux.GetEnabled()
	}
	_, err := os.Stat(h.Root + "/sys/fs/selinux/enforce")
	return err == nil
}

// SetupLabel returns the context in which a sandbox is set up; empty where that is the one of its processes, or where
// its level is not known yet.
func SetupLabel(s *config.Sandbox) string {
	context := s.ProcessContext()
	if s.FileLabel() == "" || !context.OfContainer() {
		return ""
	}
	return context.WithType(secontext.SetupType).String()
}

// DeniesMounts reports whether the host's policy lets no process of a sandbox mount: ours lets none. What a type of an
// administrator's may do is not known.
func (h Host) DeniesMounts(s *config.Sandbox) bool {
	return h.Root == "" && selinux.EnforceMode() == selinux.Enforcing && s.ProcessContext().OfContainer()
}

// CheckStart reports whether the loaded policy has what a start needs beside the label of content: the types of the
// processes, of the set-up, and of what all sandboxes are shown. Where SELinux denies nothing a start does without.
func (h Host) CheckStart(s *config.Sandbox) error {
	if h.Root != "" || selinux.EnforceMode() != selinux.Enforcing {
		return nil
	}
	return checkStart(s, h.CheckLabel)
}

func checkStart(s *config.Sandbox, check func(context string) error) error {
	static := *s
	if s.Security.Mode == config.SecurityDynamic {
		static.Security.Mode = config.SecurityStatic
	}
	labels := []string{seclabel.Shown}
	if static.Security.Mode == config.SecurityStatic {
		labels = append(labels, static.ProcessLabel())
	}
	if label := SetupLabel(&static); label != "" {
		labels = append(labels, label)
	}
	for _, label := range labels {
		if err := check(label); err != nil {
			return err
		}
	}
	return nil
}

// CheckLabel reports whether the loaded policy takes an SELinux context; without SELinux any will do.
func (h Host) CheckLabel(context string) error {
	if h.Root != "" || !h.SELinux() {
		return nil
	}
	return checkContext(context, func(context string) bool {
		return !errors.Is(selinux.SecurityCheckContext(context), unix.EINVAL)
	})
}

// checkContext says what is wrong with a context of user, role, type and level that is not valid. The role of files
// goes with every user and type, so that each can be tried by itself.
func checkContext(context string, valid func(string) bool) error {
	if valid(context) {
		return nil
	}
	c, err := secontext.Parse(context)
	if err != nil {
		return err
	}
	file := secontext.Context{User: "system_u", Role: "object_r", Type: c.Type, Level: "s0"}
	ofUser := file
	ofUser.User = c.User
	switch {
	case !valid(file.String()):
		hint := ""
		if strings.HasPrefix(c.Type, "virt_sandbox_") || c.OfContainer() || strings.HasPrefix(c.Type, "container_") {
			hint = "; run make install-selinux"
		}
		return fmt.Errorf("the loaded policy does not know type %s%s", c.Type, hint)
	case !valid(ofUser.String()):
		return fmt.Errorf("the loaded policy does not know user %s", c.User)
	case !valid(file.WithLevel(c.Level).String()):
		return fmt.Errorf("the loaded policy does not know level %s", c.Level)
	}
	return fmt.Errorf("the loaded policy does not allow %s: its role may not have that type, "+
		"or its user not that role or level", context)
}

// WithLabel calls create, and all that it makes has the SELinux label of the sandbox's content from the beginning, so
// that no tree that a container could have changed is walked. create must do its work in this goroutine.
func (h Host) WithLabel(s *config.Sandbox, create func() error) error {
	if h.Root != "" {
		return create()
	}
	return seclabel.WithCreateLabel(seclabel.Labels{Files: s.FileLabel()}, create)
}
