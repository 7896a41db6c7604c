package helper

import (
	"regexp"
	"strings"
	"testing"
)

func TestNBDUnit(t *testing.T) {
	names := make(map[string]string)
	for _, file := range []string{"/a/disk.qcow2", "/b/disk.qcow2", "/a/disk qcow2", "/a/" + strings.Repeat("x", 250), "/a/" + strings.Repeat("x", 251)} {
		unit := nbdUnit("web", file)
		if other, found := names[unit]; found {
			t.Errorf("%s and %s are both %s", file, other, unit)
		}
		names[unit] = file
		if !regexp.MustCompile(`^virt-sandbox-nbd-web-[A-Za-z0-9._]+-[0-9a-f]{16}\.service$`).MatchString(unit) || len(unit) > 255 {
			t.Errorf("%s: %s", file, unit)
		}
	}
}
