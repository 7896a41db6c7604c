// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/suggest"
)

// Mistake says of a mistake in a verb's arguments which verb it is and how that is used. It is one line.
func Mistake(c *cobra.Command, err error) error {
	return fmt.Errorf("%s: %w; usage: %s", c.Name(), err, Line(c))
}

// UnknownVerb says that a program has no such verb, and which one may be meant.
func UnknownVerb(root *cobra.Command, verb string) error {
	var known []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	meant := suggest.DidYouMean("%s", verb, known)
	if meant == "" {
		meant = "; see " + root.Name() + " --help"
	}
	return fmt.Errorf("unknown command %q%s", verb, meant)
}

// Option says what is wrong with the options of a command, as pflag found it, and which one may be meant by one that
// is not known.
func Option(c *cobra.Command, err error) error {
	var known []string
	flags := func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	}
	c.Flags().VisitAll(flags)
	c.InheritedFlags().VisitAll(flags)
	text := cmp.Or(Unknown(err, known), wrongValue(err))
	if text == "" {
		text = err.Error()
	}
	if c.HasParent() {
		text = c.Name() + ": " + text
	}
	if !strings.HasSuffix(text, "?") {
		text += "; see " + c.CommandPath() + " --help"
	}
	return errors.New(text)
}

// wrongValue says what is wrong with the value of an option; "" for another error.
func wrongValue(err error) string {
	var lacks *pflag.ValueRequiredError
	if errors.As(err, &lacks) {
		dashes := "--"
		if lacks.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return dashes + printable.Line(lacks.GetSpecifiedName()) + " needs a value"
	}
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) && errors.Unwrap(wrong) != nil {
		reason := printable.Line(errors.Unwrap(wrong).Error())
		return fmt.Sprintf("--%s: %q %s", wrong.GetFlag().Name, wrong.GetValue(), reason)
	}
	return ""
}

// Unknown says that an option is not known and which of those that are is meant; "" for another error.
func Unknown(err error, known []string) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		text := "unknown option -" + printable.Line(unknown.GetSpecifiedName())
		// With one dash in place of two: -all.
		if len(letters) > 1 && slices.Contains(known, letters) {
			text = fmt.Sprintf("unknown option -%s; did you mean --%s?", letters, letters)
		}
		return text
	}
	name := printable.Line(unknown.GetSpecifiedName())
	return fmt.Sprintf("unknown option --%s%s", name, suggest.DidYouMean("--%s", name, known))
}
