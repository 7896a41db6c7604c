package helper

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

func TestRemoveImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.raw")
	for _, c := range []struct {
		files []string
		left  bool // of the file at the image's name
	}{
		{nil, false},
		{[]string{file}, false},
		{[]string{image.Temporary(file)}, false},
		{[]string{image.Temporary(file), file}, true},
	} {
		for _, f := range c.files {
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := removeImage(file); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(file); (err == nil) != c.left {
			t.Errorf("of %q: %v", c.files, err)
		}
		if _, err := os.Lstat(image.Temporary(file)); err == nil {
			t.Errorf("of %q the temporary one is left", c.files)
		}
	}
}
