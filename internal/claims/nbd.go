// SPDX-License-Identifier: Apache-2.0

package claims

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path"
	"strings"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// Systemd is the host's systemd, where it runs.
type Systemd interface {
	Booted() bool
	RunForking(ctx context.Context, service hostsystemd.Service) error
}

// Runner has qemu-nbd run beside a sandbox's unit and not in it, which would end it with the processes of its helper.
// As a service of its own the host's shutdown ends it after the container's.
func Runner(ctx context.Context, systemd Systemd, s *config.Sandbox) image.Runner {
	if systemd.Booted() {
		return func(args []string) error { return systemd.RunForking(ctx, nbdService(s, args)) }
	}
	return func(args []string) error {
		command := exec.CommandContext(ctx, args[0], args[1:]...)
		command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		var words bytes.Buffer
		command.Stderr = &words
		if err := command.Run(); err != nil {
			return fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(words.String()))
		}
		return nil
	}
}

// nbdService is the service for a program that serves the file which is its last argument.
func nbdService(s *config.Sandbox, args []string) hostsystemd.Service {
	file := args[len(args)-1]
	return hostsystemd.Service{
		Unit:        nbdUnit(s.Name, file),
		Description: "Block device of " + file + " for virt-sandbox container " + s.Name,
		Args:        args,
		Before:      s.HostUnit(),
	}
}

// nbdUnit names the service of a file's block device: two files of one name in different directories have two.
func nbdUnit(name, file string) string {
	sum := sha256.Sum256([]byte(file))
	return "virt-sandbox-nbd-" + name + "-" + unitWord(path.Base(file)) + "-" + hex.EncodeToString(sum[:8]) + ".service"
}

// unitWord makes a part of a unit's name of a file's.
func unitWord(text string) string {
	return ascii.Map(text[:min(len(text), 80)], "._", func(rune) rune { return '_' })
}
