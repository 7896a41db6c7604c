// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/overview"
)

// reporting is how a verb says what became of sandboxes.
type reporting struct{ asJSON, quiet bool }

func (r *reporting) addFlags(command *cobra.Command) {
	command.Flags().BoolVar(&r.asJSON, "json", false, "print a JSON array of what became of each")
	command.Flags().BoolVarP(&r.quiet, "quiet", "q", false, "say nothing of what went well")
}

// done is what became of one sandbox, as scripts read it.
type done struct {
	Name    string `json:"name"`
	Unit    string `json:"unit,omitempty"`    // of a new sandbox, as what follows
	Config  string `json:"config,omitempty"`  // its file
	Content string `json:"content,omitempty"` // its directory
	Image   string `json:"image,omitempty"`   // the file that holds the content
	Level   string `json:"level,omitempty"`
	Journal string `json:"journal,omitempty"` // that delete has kept
	Bytes   *int64 `json:"bytes,omitempty"`   // that delete has freed on the host
	Archive string `json:"archive,omitempty"` // that export has written
	Error   string `json:"error,omitempty"`
	// Unchanged is set where what is asked for was so before.
	Unchanged bool `json:"unchanged,omitempty"`

	// Of a dry run: what the sandbox would be, as show has it, or the text of its config.
	Settings []overview.Setting `json:"settings,omitempty"`
	Text     string             `json:"text,omitempty"`

	text string // for a person who named one sandbox; empty for nothing
}

// made notes what a new sandbox consists of.
func (d *done) made(m *helper.Manager, s *config.Sandbox) {
	d.Name, d.Unit, d.Level, d.Config = s.Name, s.HostUnit(), s.Security.Level, m.Store.Path(s.Name)
	d.Content, d.Image = s.Content, s.Image
	place := "Created sandbox container dir " + s.Content
	if s.Image != "" {
		place = "Created sandbox container image " + s.Image
	}
	d.text = place + "\nCreated sandbox config " + d.Config + "\nCreated unit file " + helper.UnitFile(s) + "\n"
}

// planned notes what a new sandbox would consist of, and what it would be or only what its config would say.
func (d *done) planned(m *helper.Manager, s *config.Sandbox, configOnly bool) error {
	d.made(m, s)
	if configOnly {
		files, err := m.Store.Planned(s)
		if err == nil {
			d.Text = files[0].Text
			d.text = d.Text
		}
		return err
	}
	var err error
	if d.Settings, err = overview.Planned(m.Store, s); err != nil {
		return err
	}
	var text strings.Builder
	err = printSettings(&text, []shown{{s.Name, d.Settings}})
	d.text = text.String()
	return err
}

// isPlan reports whether it was only planned.
func (d *done) isPlan() bool { return d.Settings != nil || d.Text != "" }

// isThere notes that a sandbox was made before.
func (d *done) isThere(m *helper.Manager, s *config.Sandbox) {
	d.made(m, s)
	d.Unchanged, d.text = true, d.Name+" exists already\n"
}

// isNot notes that there is no sandbox of the name.
func (d *done) isNot() { d.Unchanged, d.Bytes, d.text = true, nil, d.Name+" does not exist\n" }

// report writes what became of the one sandbox that was named.
func (r reporting) report(d *done) error {
	switch {
	case r.asJSON:
		return printJSON([]*done{d})
	case !r.quiet:
		fmt.Print(d.text)
	}
	return nil
}

// making carries out a verb that makes one sandbox, and says what became of it.
func (r reporting) making(m *helper.Manager, name string, verb func() (*config.Sandbox, error)) error {
	d := done{Name: name}
	s, err := verb()
	if err == nil {
		d.made(m, s)
		return r.report(&d)
	}
	if d.Error = flagname.Text(err); r.asJSON {
		err = errors.Join(err, printJSON([]*done{&d}))
	}
	return err
}

// tell writes the line for one of several that went well.
func (r reporting) tell(past string, d *done) {
	if r.quiet || r.asJSON {
		return
	}
	if d.Unchanged || d.isPlan() {
		fmt.Print(d.text)
		return
	}
	freed := ""
	if isTerminal(os.Stdout) {
		freed = freedText(d.Bytes)
	}
	fmt.Printf("%s %s%s\n", past, d.Name, freed)
}

func (r reporting) printJSON(names []string, results map[string]*done) error {
	var list []*done
	for _, name := range names {
		list = append(list, results[name])
	}
	return printJSON(list)
}
