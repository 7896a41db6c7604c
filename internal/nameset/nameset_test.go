// SPDX-License-Identifier: Apache-2.0

package nameset

import (
	"errors"
	"strings"
	"testing"
)

var errName = errors.New("no name")

func check(name string) error {
	if !strings.HasPrefix(name, "n") {
		return errName
	}
	return nil
}

// Text that is a set is written back as it was; other text is refused with what is wrong.
func TestParse(t *testing.T) {
	for text, want := range map[string]error{
		"auto": nil, "all +n1 -n2": nil, "n1 n2": nil,
		"": ErrForm, " ": ErrForm, "auto n1": ErrForm, "all all": ErrForm,
		"auto +": errName, "+n1": errName, "n1 auto": errName,
		"n1 n1": TwiceError("n1"), "auto +n1 -n1": TwiceError("n1"),
	} {
		s, err := Parse(text, check)
		if !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", text, err, want)
		}
		if err == nil && s.String() != text {
			t.Errorf("%q is written as %q", text, s)
		}
	}
}

// Whatever parses is read back as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"auto", "all -n1", "auto +n1 -n2", "n1 n2", "+", "-", " "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text, check)
		if err != nil {
			return
		}
		again, err := Parse(s.String(), check)
		if err != nil || again.String() != s.String() || again.Base != s.Base {
			t.Errorf("%q is written as %q and read as %+v (%v)", text, s, again, err)
		}
	})
}
