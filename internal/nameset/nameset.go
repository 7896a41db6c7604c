// SPDX-License-Identifier: Apache-2.0

// Package nameset is the grammar of configs for sets of names: capabilities= and system-calls=. In: text; out: what a
// set begins with, and what is added and taken away. It knows no names of either kind.
package nameset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Base is what a set begins with.
type Base string

// The bases: nothing, what is usual, or everything.
const (
	None Base = ""
	Auto Base = "auto"
	All  Base = "all"
)

// Set is names, by what it begins with.
type Set struct {
	Base      Base
	Add, Drop []string
}

// ErrForm is returned for text that is no set, whatever names there are.
var ErrForm = errors.New("not auto or all, followed by names with + and -, nor only names")

// TwiceError is a name that text gives twice.
type TwiceError string

func (e TwiceError) Error() string { return fmt.Sprintf("%q is given twice", string(e)) }

// Parse reads auto or all, followed by names with + and -, or only names. Errors: ErrForm, TwiceError, and what check
// says of a name.
func Parse(text string, check func(name string) error) (Set, error) {
	var s Set
	words := strings.Fields(text)
	if len(words) > 0 && (words[0] == string(Auto) || words[0] == string(All)) {
		s.Base, words = Base(words[0]), words[1:]
	} else if len(words) == 0 {
		return s, ErrForm
	}
	for _, name := range words {
		list := &s.Add
		if s.Base != None {
			switch name[0] {
			case '+':
			case '-':
				list = &s.Drop
			default:
				return s, ErrForm
			}
			name = name[1:]
		}
		if err := check(name); err != nil {
			return s, err
		}
		if slices.Contains(s.Add, name) || slices.Contains(s.Drop, name) {
			return s, TwiceError(name)
		}
		*list = append(*list, name)
	}
	return s, nil
}

// String returns the text that Parse reads as the same.
func (s Set) String() string {
	var words []string
	plus := ""
	if s.Base != None {
		words, plus = append(words, string(s.Base)), "+"
	}
	for _, name := range s.Add {
		words = append(words, plus+name)
	}
	for _, name := range s.Drop {
		words = append(words, "-"+name)
	}
	return strings.Join(words, " ")
}
