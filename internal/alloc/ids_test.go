// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

func TestReadSubordinateIDs(t *testing.T) {
	cases := []struct {
		name, text string
		want       []config.IDMap
	}{
		{
			"two users",
			"alice:100000:65536\nbob:165536:1000\n",
			[]config.IDMap{{Base: 100000, Count: 65536}, {Base: 165536, Count: 1000}},
		},
		{"by number, with blanks", " 1000:200000:65536 ", []config.IDMap{{Base: 200000, Count: 65536}}},
		{"not of the form", "# comment\n\nalice:100000\nalice:x:65536\nalice:1:2:3\nalice:99999999999:1\n", nil},
		{"empty", "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "subuid")
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := readSubordinateIDs(file); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
	if got, err := readSubordinateIDs(filepath.Join(t.TempDir(), "absent")); got != nil || err != nil {
		t.Errorf("without the file: %+v, %v", got, err)
	}
}
