// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"testing"
)

// A mistake in the command line is told of.
func TestMistakes(t *testing.T) {
	arguments := os.Args
	t.Cleanup(func() { os.Args = arguments })
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--bogus", "a", "b"}, "unknown option --bogus"},
		{nil, "name a verb and a sandbox"},
		{[]string{"run"}, "name a verb and a sandbox"},
	} {
		os.Args = append([]string{"helper"}, test.args...)
		err := run()
		var mistake usageError
		if !errors.As(err, &mistake) || err.Error() != test.want {
			t.Errorf("%q: %v", test.args, err)
		}
	}
}
