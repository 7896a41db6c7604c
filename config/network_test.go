// SPDX-License-Identifier: Apache-2.0

package config

import (
	"testing"
)

func TestCheckInterfaces(t *testing.T) {
	same := Interface{MAC: "52:54:00:12:34:56"}
	for want, interfaces := range map[string][]Interface{
		"two interfaces have the MAC address 52:54:00:12:34:56": {same, {Bridge: "br0"}, same},
		"there are more than 100 interfaces":                    make([]Interface, 101),
	} {
		if err := CheckInterfaces(NetworkPrivate, interfaces); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := CheckInterfaces(NetworkPrivate, make([]Interface, 100)); err != nil {
		t.Error(err)
	}
}
