// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

const (
	// scriptDir is where the scripts lie that systemd makes services of.
	scriptDir = "/etc/init.d"
	// sysvGenerator makes them (systemd-sysv-generator(8)).
	sysvGenerator = "/usr/lib/systemd/system-generators/systemd-sysv-generator"
	// generatorLimit is how long it may take.
	generatorLimit = 30 * time.Second
)

// generatedDirs is where the host's systemd has what its generators have made, and what programs have made for it,
// until the next reboot.
func generatedDirs() []string {
	return []string{
		"/run/systemd/transient", "/run/systemd/generator.early", "/run/systemd/system", "/run/systemd/generator",
		"/run/systemd/generator.late",
	}
}

// Generated returns the text of a unit that has no file but one in /run, as generators make it; "" for any other.
func (u *Unit) Generated() string { return u.generated }

// generate returns the unit that a generator or another program of the host has made. Where no systemd runs that would
// have it, the one for scripts is run. nil is none.
func (r Root) generate(name unitname.Name) (*Unit, error) {
	for _, dir := range generatedDirs() {
		text, err := os.ReadFile(path.Join(string(r)+dir, name.String()))
		if err == nil && len(text) > 0 {
			return generatedUnit(name, string(text), path.Join(dir, name.String())), nil
		}
	}
	script := path.Join(scriptDir, name.Stem())
	info, err := os.Stat(string(r) + script)
	if r != "" || err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 || name.Type() != unitname.Service {
		return nil, nil
	}
	text, err := ofScript(name.String())
	if err != nil || text == "" {
		return nil, err
	}
	return generatedUnit(name, text, script), nil
}

// generatedUnit is a unit with the text of a generator, which says what it is made from; nil for one that runs a
// container.
func generatedUnit(name unitname.Name, text, file string) *Unit {
	u := &Unit{Name: name.String(), generated: text}
	u.options, _ = parse(text, sectionsOf(u.Name))
	if source := u.Words("SourcePath"); len(source) > 0 {
		file = source[len(source)-1]
	}
	if strings.HasSuffix(file, config.Suffix) {
		return nil
	}
	u.Files = []string{file}
	return u
}

// ofScript has systemd's generator make the services of this machine's scripts and returns the text of one; "" where
// it makes none.
func ofScript(unit string) (string, error) {
	dir, err := os.MkdirTemp("", "virt-sandbox-units-")
	if err != nil {
		return "", fmt.Errorf("make a unit of a script: %w", err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), generatorLimit)
	defer cancel()
	command := exec.CommandContext(ctx, sysvGenerator, dir, dir, dir)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "SYSTEMD_LOG_TARGET=console"}
	if out, err := command.CombinedOutput(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return "", fmt.Errorf("make a unit of a script: %w: %s", err, strings.TrimSpace(string(out)))
	}
	text, err := os.ReadFile(filepath.Join(dir, unit))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}
