// SPDX-License-Identifier: Apache-2.0

// Package usage is how our programs say how they are used: what --help shows, and what is wrong with a command line.
// In: the commands and options of a program; out: text for a person. Only the programs in cmd call it.
package usage

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Width is how many columns the text of --help takes.
const Width = 80

// Install has a program and its verbs show help in our form. cobra's own has all of an option on one line, however
// long, and names values that are no choice.
func Install(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { writeHelp(c.OutOrStdout(), c) })
	root.SetUsageFunc(func(c *cobra.Command) error {
		writeHelp(c.OutOrStderr(), c)
		return nil
	})
}

// writeHelp writes first what most look for: how a command is used, with examples.
func writeHelp(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, "%s.\n\nUsage:\n  %s\n", c.Short, Line(c))
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	if text := strings.TrimPrefix(c.Long, c.Short+".\n\n"); text != "" {
		fmt.Fprintf(w, "\n%s\n", text)
	}
	if len(c.Aliases) > 0 {
		fmt.Fprintf(w, "\nAlso called %s.\n", strings.Join(c.Aliases, ", "))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprint(w, "\nVerbs:\n")
		for _, verb := range c.Commands() {
			if verb.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-*s %s\n", verb.NamePadding(), verb.Name(), verb.Short)
			}
		}
	}
	for _, group := range GroupsOf(c) {
		fmt.Fprintf(w, "\n%s:\n", group.Title)
		if group.Text != "" {
			fmt.Fprintf(w, "%s\n\n", group.Text)
		}
		for _, name := range group.Options {
			writeOption(w, c.Flags().Lookup(name))
		}
	}
	if c.InheritedFlags().HasAvailableFlags() {
		fmt.Fprint(w, "\nOptions of all verbs:\n")
		c.InheritedFlags().VisitAll(func(f *pflag.Flag) { writeOption(w, f) })
	}
}

// Line returns a command with its arguments; that options can be given needs no word.
func Line(c *cobra.Command) string {
	if c.HasParent() {
		return c.Parent().CommandPath() + " " + c.Use
	}
	return c.Use
}

func writeOption(w io.Writer, f *pflag.Flag) {
	short := "    "
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	form, text := Describe(f)
	fmt.Fprintf(w, "  %s%s\n", short, form)
	fill(w, text, "          ")
}

// Describe returns the long form of an option with its argument, and what it says of itself in whole sentences.
func Describe(f *pflag.Flag) (form, text string) {
	form = "--" + f.Name
	argument, text := pflag.UnquoteUsage(f)
	switch {
	case argument == "":
	case f.NoOptDefVal != "":
		form += "[=" + argument + "]"
	default:
		form += " " + argument
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return form, text
}

// fill writes words into lines that begin with an indentation.
func fill(w io.Writer, text, indentation string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(indentation+line+" "+word) > Width {
			fmt.Fprintln(w, indentation+line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, indentation+line)
}
