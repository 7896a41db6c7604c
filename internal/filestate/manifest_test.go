// SPDX-License-Identifier: Apache-2.0

package filestate

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
)

// TestWriteManifest: of two entries for a path the later counts, and one without a type takes the path out.
func TestWriteManifest(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadManifest(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a manifest: %v", err)
	}
	if err := os.Mkdir(dir+"/"+OwnDir, 0o700); err != nil {
		t.Fatal(err)
	}
	tree, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	a, b := Entry{Path: "/a", Type: "file", Origin: "sandbox"}, Entry{Path: "/b", Type: "symlink", Target: "a"}
	newer := a
	newer.Digest = "sha256:00"
	for _, added := range [][]Entry{{a, b}, {newer}, {{Path: "/b"}}} {
		if err := WriteManifest(tree, added); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadManifest(dir)
	if err != nil || !slices.Equal(got, []Entry{newer}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzReadEntries(f *testing.F) {
	f.Add([]byte(`{"path":"/a","type":"file","size":1}` + "\n" + `{"path":"/b"}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ReadEntries(bytes.NewReader(data))
		if err != nil && entries != nil {
			t.Errorf("%d entries of what is damaged", len(entries))
		}
	})
}

func TestVersions(t *testing.T) {
	file := &Version{Kind: KindFile, Digest: "sha256:00"}
	link := &Version{Kind: KindSymlink, Target: "a"}
	tests := []struct {
		name    string
		version *Version
		entry   Entry
		want    bool
	}{
		{"file", file, Entry{Type: "file", Digest: "sha256:00"}, true},
		{"another file", file, Entry{Type: "file", Digest: "sha256:01"}, false},
		{"file of which nothing is known", &Version{Kind: KindFile}, Entry{Type: "file"}, false},
		{"link", link, Entry{Type: "symlink", Target: "a"}, true},
		{"another link", link, Entry{Type: "symlink", Target: "b"}, false},
		{"another type", link, Entry{Type: "file", Target: "a"}, false},
		{"directory", &Version{Kind: KindDirectory}, Entry{Type: "directory"}, false},
	}
	for _, test := range tests {
		if got := test.version.IsAsPut(test.entry); got != test.want {
			t.Errorf("%s: unchanged is %t", test.name, got)
		}
	}
}
