// SPDX-License-Identifier: Apache-2.0

package contentcheck

import (
	"context"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
)

// box is a sandbox with private paths that are copied.
func box(t *testing.T, private ...string) *config.Sandbox {
	t.Helper()
	s := config.New("box")
	s.Command, s.MachineID, s.Copy = []string{"true"}, "0123456789abcdef0123456789abcdef", true
	s.Content = t.TempDir() + "/box"
	for _, p := range private {
		s.Private = append(s.Private, config.PrivatePath{Path: p, Origin: "package:d"})
	}
	return s
}

func prepare(t *testing.T, h content.Host, s *config.Sandbox) {
	t.Helper()
	if err := h.Prepare(context.Background(), s, nil); err != nil {
		t.Fatal(err)
	}
}
