// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
)

func TestCheckMode(t *testing.T) {
	store := config.Store{Dir: "/configs"}
	s := config.New("web")
	if err := CheckMode(store, s); err != nil {
		t.Error(err)
	}
	s.Security.Mode = config.SecurityDynamic
	says(t, CheckMode(store, s), "/configs/web.sandbox: mode=dynamic: ")
}

// Without SELinux any label will do.
func TestCheckLabels(t *testing.T) {
	h := newHost(t)
	if h.Host.SELinux() {
		t.Skip("this machine runs SELinux")
	}
	s := config.New("web")
	s.Security.FileType = "unheard_of_t"
	if err := h.checkLabels(s, describe.Options{FileType: s.Security.FileType}); err != nil {
		t.Error(err)
	}
}
