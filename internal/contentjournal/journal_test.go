// SPDX-License-Identifier: Apache-2.0

package contentjournal

import (
	"os"
	"strconv"
	"testing"
)

// Of a directory that root inside has filled, no more names are kept than journald ever makes, and nothing but files.
func TestJournalFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/d.journal", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", dir+"/l.journal"); err != nil {
		t.Fatal(err)
	}
	tree, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if names, err := journalFiles(tree, "none"); err != nil || names != nil {
		t.Errorf("no directory: %v, %v", names, err)
	}
	for i := range 3 {
		if err := os.WriteFile(dir+"/"+strconv.Itoa(i)+".journal~", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := journalFiles(tree, "."); err != nil || len(names) != 3 {
		t.Errorf("got %v, %v", names, err)
	}
	for i := range maxFiles + 10 {
		if err := os.Link(dir+"/0.journal~", dir+"/"+strconv.Itoa(i)+".journal"); err != nil {
			t.Skipf("not so many links: %v", err)
		}
	}
	if names, err := journalFiles(tree, "."); err != nil || len(names) != maxFiles {
		t.Errorf("got %d names, %v", len(names), err)
	}
}
