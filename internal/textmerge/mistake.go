// SPDX-License-Identifier: Apache-2.0

package textmerge

import "fmt"

// Mistake is a text that cannot be used, with the place that is wrong.
type Mistake struct {
	File    string
	Line    int // from 1; 0 when no single line is to blame
	Message string
	Others  []*Mistake // further mistakes of the file and of those that add to it, without others of their own
}

// Error returns all mistakes in one line.
func (e *Mistake) Error() string {
	text := e.where() + e.Message
	for _, other := range e.Others {
		if other.File == e.File {
			text += "; " + other.Reason()
		} else {
			text += "; " + other.where() + other.Message
		}
	}
	return text
}

func (e *Mistake) where() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: ", e.File, e.Line)
	}
	return e.File + ": "
}

// All lists the mistakes.
func (e *Mistake) All() []*Mistake { return append([]*Mistake{e}, e.Others...) }

// Reason returns one mistake without the file.
func (e *Mistake) Reason() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// Mistakes collects what is wrong.
type Mistakes []*Mistake

// Err is nil where nothing is wrong.
func (m Mistakes) Err() error {
	if len(m) == 0 {
		return nil
	}
	m[0].Others = m[1:]
	return m[0]
}
