// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"regexp"
	"testing"
)

// It needs no command to run.
func TestVersion(t *testing.T) {
	command := root()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs([]string{"--version"})
	want := regexp.MustCompile(`^virt-sandbox version (\(devel\)|v[0-9].*|unknown)\n$`)
	if err := command.Execute(); err != nil || !want.MatchString(out.String()) {
		t.Errorf("%q, %v", out.String(), err)
	}
}
