// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestMistakes pins what is said of mistakes in the command line: one line that names the verb, with how it is used or
// what may be meant.
func TestMistakes(t *testing.T) {
	const u = "; usage: virt-sandbox-service "
	for line, want := range map[string]string{
		"strat":            `unknown command "strat"; did you mean start?`,
		"lst":              `unknown command "lst"; did you mean list?`,
		"help strat":       `unknown command "strat"; did you mean start?`,
		"frobnicate":       `unknown command "frobnicate"; see virt-sandbox-service --help`,
		"start":            "start: name a sandbox, or use --all" + u + "start NAME… | --all",
		"start --all a":    "start: name sandboxes or use --all, not both" + u + "start NAME… | --all",
		"start --jobs 0 a": "start: --jobs takes a number from 1, not 0" + u + "start NAME… | --all",
		"restart":          "restart: name a sandbox, or use --all" + u + "restart NAME… | --all",
		"create":           "create: name a sandbox" + u + "create [OPTION]… NAME… [-- COMMAND [ARG]…]",
		"delete":           "delete: name a sandbox" + u + "delete [--keep-journal] NAME…",
		"check":            "check: name a sandbox, or use --all" + u + "check NAME… | --all",
		"clone a":          "clone: name the SOURCE and the new sandbox" + u + "clone [--freeze] [-l LEVEL] SOURCE NAME",
		"enable":           "enable: name a sandbox, or use --all" + u + "enable [--now] NAME… | --all",
		"edit":             "edit: name a sandbox" + u + "edit [OPTION]… NAME…",
		"connect a b":      "connect: name one sandbox, not 2" + u + "connect NAME",
		"execute a":        "execute: name a sandbox and a COMMAND" + u + "execute [-N] NAME -- COMMAND [ARG]…",
		"export":           "export: name a sandbox" + u + "export NAME [FILE] | -o DIR (NAME… | --all)",
		"completion":       "completion: name a shell: bash, zsh or fish" + u + "completion SHELL",
		"completion powershell": `completion: unknown command "powershell" for "virt-sandbox-service completion"` + u +
			"completion SHELL",
		"create --imagesze 1":   "create: unknown option --imagesze; did you mean --imagesize?",
		"create --frobnicate x": "create: unknown option --frobnicate; see virt-sandbox-service create --help",
		"start -all":            "start: unknown option -all; did you mean --all?",
		"start -Z a":            "start: unknown option -Z; see virt-sandbox-service start --help",
		"--\x1b[2J":             "unknown option --?[2J; see virt-sandbox-service --help",
	} {
		if got := said(t, line); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", line, got, want)
		}
	}
}

// said returns what is wrong with a command line.
func said(t *testing.T, line string) string {
	t.Helper()
	command := rootOfTest(t)
	command.SetArgs(strings.Fields(line))
	command.SetOut(&bytes.Buffer{})
	err := command.Execute()
	var mistake usageError
	if !errors.As(err, &mistake) {
		t.Errorf("%q: %v is no mistake of usage", line, err)
		return ""
	}
	return err.Error()
}

// Who knows podman or ls(1) finds the verbs under those names too.
func TestAliases(t *testing.T) {
	for alias, want := range map[string]string{"ls": "list", "rm": "delete", "exec": "execute", "shell": "connect"} {
		if c, _, err := rootOfTest(t).Find([]string{alias}); err != nil || c.Name() != want {
			t.Errorf("%s is %s, %v", alias, c.Name(), err)
		}
	}
}

// -u is --unitfile with some verbs and --unit with logs; both names go everywhere.
func TestUnitOption(t *testing.T) {
	for _, line := range []string{
		"create --unit a", "create --unitfile a", "reload --unit a", "upgrade --unit a", "logs --unit a", "logs --unitfile a",
	} {
		words := strings.Fields(line)
		c, rest, err := rootOfTest(t).Find(words)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ParseFlags(rest); err != nil || c.Flags().ShorthandLookup("u").Value.String() == "" ||
			!c.Flags().ShorthandLookup("u").Changed {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// A name is not said twice.
func TestAbout(t *testing.T) {
	for text, want := range map[string]string{
		"a: no such sandbox":  "a: no such sandbox",
		"a is running":        "a is running",
		"connect to libvirt":  "a: connect to libvirt",
		"ab: no such sandbox": "a: ab: no such sandbox",
	} {
		if got := about("a", text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// There are completions for shells of Linux only.
func TestCompletionHelp(t *testing.T) {
	root := rootOfTest(t)
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append([]*cobra.Command{completion}, completion.Commands()...) {
		var out bytes.Buffer
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for _, foreign := range []string{"owershell", "macOS", "brew"} {
			if strings.Contains(out.String(), foreign) {
				t.Errorf("%s --help speaks of %s", c.CommandPath(), foreign)
			}
		}
	}
}
