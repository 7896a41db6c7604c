// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
)

func editCommand(manager newManagerFunc) *cobra.Command {
	var dropIn bool
	command := &cobra.Command{
		Use:   "edit [OPTION]… NAME…",
		Short: "Edit the configs of sandboxes",
		Example: `  virt-sandbox-service edit web1
  EDITOR=nano virt-sandbox-service edit web1
  virt-sandbox-service edit --drop-in web@a`,
		Long: `Edit the config of a sandbox with $VISUAL, $EDITOR or vi(1) and check it before
it is written. A mistake is shown with file and line, and the text can be edited
again; without a terminal the verb fails and says where the text is kept. Name,
uuid, machine-id and state cannot be changed. TEMPLATE@ is the config of a
template, which is checked with all its instances.

A config that is a link, that a package brings, or that is its template is not
changed: --drop-in edits NAME.sandbox.d/override.conf in
/etc/libvirt-sandbox/services, which adds to it.

Then the host's systemd reads its units anew; a running sandbox goes on as it
was started. Of several each is edited after the other.`,
		Args: func(c *cobra.Command, args []string) error {
			// A template has its name with the @ that its instances have in theirs.
			var names []string
			for _, name := range args {
				names = append(names, strings.TrimSuffix(name, "@"))
			}
			return someNames(c, names)
		},
		ValidArgsFunction: completeConfigs,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			// What is typed to end this program may be meant for the editor.
			for _, name := range unique(args) {
				target := editing.Target{Name: name, DropIn: dropIn}
				if err := m.Editor().Edit(context.WithoutCancel(c.Context()), target, runEditor, editAgain); err != nil {
					return err
				}
			}
			return nil
		},
	}
	command.Flags().BoolVar(&dropIn, "drop-in", false, "edit NAME.sandbox.d/override.conf, which adds to the config; one "+
		"that says nothing is removed")
	return command
}

// runEditor has a person edit a file.
func runEditor(file string) error {
	words := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	if len(words) == 0 {
		words = []string{"vi"}
	}
	editor := exec.Command(words[0], append(words[1:], file)...)
	editor.Stdin, editor.Stdout, editor.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := editor.Run(); err != nil {
		return fmt.Errorf("run editor %s: %w", words[0], err)
	}
	return nil
}

// editAgain asks a person who is there whether to correct a mistake.
func editAgain(mistake error) bool {
	if !term.IsTerminal(0) || !term.IsTerminal(2) {
		return false
	}
	fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\nEdit again? [Y/n] ", flagname.Text(mistake))
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "" || answer == "y" || answer == "yes")
}
