package helper

import (
	"os"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// An image that a clone was making beside its source's is found by the note of it; a complete one is nobody's leftover.
func TestUnfinishedImages(t *testing.T) {
	dir := t.TempDir()
	unfinished, complete := image.Temporary(dir+"/clone.raw"), dir+"/web.raw"
	for _, file := range []string{unfinished, complete} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	claims := []claim{{File: unfinished}, {File: complete}, {File: image.Temporary(dir + "/gone.raw")}}
	if got := unfinishedImages("unit-test-of-leftovers", claims); !slices.Equal(got, []string{unfinished}) {
		t.Errorf("found %q", got)
	}
	if found, err := removeUnfinished("unit-test-of-leftovers", claims); !found || err != nil {
		t.Errorf("remove: %v, %v", found, err)
	}
	if _, err := os.Lstat(unfinished); err == nil {
		t.Error("the unfinished one is still there")
	}
	if _, err := os.Lstat(complete); err != nil {
		t.Error("the complete one is gone")
	}
}
