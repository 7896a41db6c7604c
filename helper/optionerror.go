package helper

import (
	"errors"
	"io/fs"
)

// OptionError is an option whose value cannot be used, or that does not go with others: a mistake in the command line.
type OptionError struct{ Err error }

func (e *OptionError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *OptionError) Unwrap() error { return e.Err }

// optionError makes an OptionError of what was said about options; that the host lacks a file that one names is none.
func optionError(err error) error {
	var file *fs.PathError
	if err == nil || errors.As(err, &file) {
		return err
	}
	return &OptionError{err}
}
