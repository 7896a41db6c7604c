// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/config"
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
		"completion tcsh":  "completion: name a shell: bash, zsh or fish" + u + "completion SHELL",
		"top web1":         `top: it takes options only, and not "web1"` + u + "top",
		"clone a a": "clone: a cannot be its own clone; choose another name" + u +
			"clone [--freeze] [-l LEVEL] SOURCE NAME",
		"logs -f -r a": "logs: --follow waits for what comes last, and --reverse shows that first; give one of them" + u +
			"logs [-f] [-n LINES] [-u UNIT] [--since TIME] NAME…",
		"create -u httpd -U 5 a": "create: --uid is about a command after --; units say themselves as whom they run" + u +
			"create [OPTION]… NAME… [-- COMMAND [ARG]…]",
		"create -U -1 a -- x": "create: -U and -G take numbers from 0 to 4294967294" + u +
			"create [OPTION]… NAME… [-- COMMAND [ARG]…]",
		"set-property a pids=no": `set-property: pids=: "no" is not a number of processes from 1 to 4194304, or none`,
		"start -j x a":           `start: --jobs: "x" must be an integer; see virt-sandbox-service start --help`,
		"start a --jobs":         "start: --jobs needs a value; see virt-sandbox-service start --help",
		"create a -u":            "create: -u needs a value; see virt-sandbox-service create --help",
		"start --all=maybe":      `start: --all: "maybe" must be true or false; see virt-sandbox-service start --help`,
		"import - a/b":           "import: " + nameMessage("a/b") + u + "import [-l LEVEL] [--trust] [FILE [NAME]]",
		"create --imagesze 1":    "create: unknown option --imagesze; did you mean --imagesize?",
		"create --frobnicate x":  "create: unknown option --frobnicate; see virt-sandbox-service create --help",
		"start -all":             "start: unknown option -all; did you mean --all?",
		"start -Z a":             "start: unknown option -Z; see virt-sandbox-service start --help",
		"--\x1b[2J":              "unknown option --?[2J; see virt-sandbox-service --help",
	} {
		if got := said(t, line); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", line, got, want)
		}
	}
}

// nameMessage is what is said of a name that no sandbox can have.
func nameMessage(name string) string { return config.CheckName(name).Error() }

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

// What no sandbox can be called is refused at once, also where others are named, and with every verb; a template's name
// is for edit to take.
func TestMistakenNames(t *testing.T) {
	for _, line := range []string{
		"start ../a", "start a ..", "stop a/b", "delete a _b", "execute /etc -- x", "connect .a",
		"clone a ../b", "export a/b",
		"status a/b", "enable -- -a", "set-property a/b memory=1G", "show a/b", "logs a/b", "kill a/b", "edit @",
		"start a web@", "clone a web@", "execute web@ -- x",
	} {
		if got := said(t, line); !strings.Contains(got, " must match ") {
			t.Errorf("%q: %s", line, got)
		}
	}
	if c, rest, err := rootOfTest(t).Find([]string{"edit", "web@"}); err != nil || c.Args(c, rest) != nil {
		t.Errorf("edit takes no template: %v", err)
	}
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

// Every verb shows how it is used, with its own name.
func TestExamples(t *testing.T) {
	for _, verb := range verbs(rootOfTest(t)) {
		if !strings.Contains(verb.Example, "virt-sandbox-service "+verb.Name()) {
			t.Errorf("%s has no example of itself: %q", verb.Name(), verb.Example)
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
