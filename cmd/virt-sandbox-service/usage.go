// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageWidth is how many columns the text of --help takes.
const usageWidth = 80

// usage writes what follows the description in --help. cobra's own has all of an option on one line, however long, and
// names values that are no choice.
func usage(c *cobra.Command) error {
	w := c.OutOrStderr()
	fmt.Fprintf(w, "Usage:\n  %s\n", useLine(c))
	if c.HasAvailableSubCommands() {
		fmt.Fprint(w, "\nVerbs:\n")
		for _, verb := range c.Commands() {
			if verb.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-*s %s\n", verb.NamePadding(), verb.Name(), verb.Short)
			}
		}
	}
	usageOptions(w, "Options", c.LocalFlags())
	usageOptions(w, "Options of all verbs", c.InheritedFlags())
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	return nil
}

// useLine returns a command with its arguments; that options can be given needs no word.
func useLine(c *cobra.Command) string {
	if c.HasParent() {
		return c.Parent().CommandPath() + " " + c.Use
	}
	return c.Use
}

func usageOptions(w io.Writer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		short := "    "
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		argument, text := describe(f)
		if argument != "" {
			argument = " " + argument
		}
		fmt.Fprintf(w, "  %s--%s%s\n", short, f.Name, argument)
		fill(w, text, "          ")
	})
}

// describe returns the argument of an option, "" where it has none, and what it says of itself in whole sentences.
func describe(f *pflag.Flag) (argument, text string) {
	argument, text = pflag.UnquoteUsage(f)
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return argument, text
}

// fill writes words into lines that begin with an indentation.
func fill(w io.Writer, text, indentation string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(indentation+line+" "+word) > usageWidth {
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
