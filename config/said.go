// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/dropin"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// said is what files say, in their order.
type said struct {
	all []dropin.Said

	dropIn, literal bool // the file that is read
}

// add takes a line, with its value.
func (s *said) add(file string, l line, value string) {
	one := dropin.Said{Entry: l.Entry, Raw: l.Entry.Value, File: file, Line: l.Number, DropIn: s.dropIn}
	if one.Value = value; s.literal {
		one.Raw = escaped(one.Entry).Value
	}
	one.Resets = s.dropIn && isReset(l)
	s.all = append(s.all, one)
}

// sayings reads all that a config and its drop-ins say, and checks each line. It returns what it has read also with an
// error.
func sayings(name string, literal bool, files []configtree.File) (*said, error) {
	var s said
	var mistakes textmerge.Mistakes
	for _, file := range files {
		r := newReader(name)
		s.dropIn, s.literal = file.IsDropIn, literal || isLiteral(file)
		r.said, r.literal, r.dropIn, r.mistakes = &s, s.literal, s.dropIn, mistakes
		if err := r.read(file.Path, file.Text); err != nil && len(r.mistakes) == 0 {
			return &s, err
		}
		if mistakes = r.mistakes; len(mistakes) == maxMistakes {
			break
		}
	}
	return &s, mistakes.Err()
}

// isLiteral reports whether a file is of the format that has no specifiers.
func isLiteral(f configtree.File) bool {
	return !f.IsDropIn && strings.Contains(f.Text, "%") && IsOfFormat1(f.Text)
}

// IsOfFormat1 reports whether the text of a config is of the format that had what was found and allocated too, and no
// specifiers.
func IsOfFormat1(text string) bool {
	return textmerge.Has(text, entry{Section: "sandbox", Key: "format", Value: "1"}, IsVerbatim)
}

// isList reports whether a key takes many values.
func isList(key keyName) bool {
	if IsVerbatim(key.Section) {
		return true
	}
	i, known := theFormat().index[key]
	return known && theFormat().fields[i].repeated
}

// effective returns the lines that count.
func (s *said) effective() []dropin.Said { return dropin.Effective(s.all, isList) }

// sandbox returns what is said altogether. file is to blame for what no single line is.
func (s *said) sandbox(name, file string) (*Sandbox, error) {
	r := newReader(name)
	for _, one := range s.effective() {
		if wrong := r.apply(one.Entry); wrong != "" {
			r.mistakes = append(r.mistakes, &SyntaxError{File: one.File, Line: one.Line, Message: wrong})
		}
	}
	if err := r.mistakes.Err(); err != nil {
		return nil, err
	}
	r.hasFormat = r.seen[r.index[keyName{Section: "sandbox", Key: "format"}]]
	return r.finish(file)
}

// textBeside returns the text of a config that says with its drop-ins what a description does, with the comments of
// another text, which those it has belong to. What is to be said and cannot be, since a drop-in decides, is left out.
func textBeside(wish *Sandbox, like string, files []configtree.File) string {
	var old []line
	if like != "" {
		old, _ = parseLines("", like)
	}
	// What is wrong, such as the name in the text of another sandbox, is told of the whole.
	s, _ := sayings(wish.Name, false, slices.Concat([]configtree.File{{Text: like}}, files))
	all := slices.DeleteFunc(s.all, func(one dropin.Said) bool {
		return one.Section == "sandbox" && (one.Key == "format" || one.Key == "name")
	})
	for i, one := range all {
		if one.DropIn {
			all[i].Value = canonical(one.Entry)
		}
	}
	return textmerge.Merge(old, dropin.Without(wish.entries(), all, isList, escaped), EntryText)
}

// canonical returns the value of a setting as a description writes it.
func canonical(e entry) string {
	i, known := theFormat().index[dropin.KeyOf(e)]
	if !known {
		return e.Value
	}
	field, s := theFormat().fields[i], New("")
	if field.set(s, e.Value) == nil {
		if values := field.get(s); len(values) == 1 {
			return values[0]
		}
	}
	return e.Value
}
