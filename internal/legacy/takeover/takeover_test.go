// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// TestCheckContent: only a command may do without content.
func TestCheckContent(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/image.raw", "")
	for _, test := range []struct {
		name, image, content string
		command              []string
		refused              bool
	}{
		{"a directory", "", dir, nil, false},
		{"no directory", "", dir + "/none", nil, true},
		{"a command without", "", dir + "/none", []string{"true"}, false},
		{"an image", dir + "/image.raw", "", nil, false},
		{"no image", dir + "/none", "", []string{"true"}, true},
		{"an image that is a directory", dir, "", nil, true},
	} {
		s := config.New("web1")
		s.Image, s.Content, s.Command = test.image, test.content, test.command
		if err := CheckContent(s); (err != nil) != test.refused {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
