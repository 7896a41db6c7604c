// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// TestManual looks for the words that the program takes in its page.
func TestManual(t *testing.T) {
	page, err := os.ReadFile("../../man/virt-sandbox-init.8")
	if err != nil {
		t.Fatal(err)
	}
	_, words, _ := strings.Cut(string(page), ".SH WORDS\n")
	for _, tag := range []string{
		".B " + guest.PayloadWord + "\n", ".B " + guest.EnterWord + "\n",
		".BR " + guest.TellStopping + ` ", " ` + guest.TellRebooting + "\n",
	} {
		if !strings.Contains(words, ".TP\n"+tag) {
			t.Errorf("the page has no %q", tag)
		}
	}
	if !strings.Contains(string(page), guest.PlanFile) || !strings.Contains(string(page), guest.NotifySocket) {
		t.Error("the page names other files than the program uses")
	}
}
