// SPDX-License-Identifier: Apache-2.0

package sandboximage

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Of content in a directory nothing is known that the error does not say.
func TestExplainFull(t *testing.T) {
	s := config.New("web")
	if err := ExplainFull(s, unix.ENOSPC); err != unix.ENOSPC {
		t.Errorf("got %v", err)
	}
	s.Image = t.TempDir() + "/web.raw"
	touch(t, s.Image)
	err := ExplainFull(s, unix.ENOSPC)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "the image of ") {
		t.Errorf("got %v", err)
	}
}

func TestSync(t *testing.T) {
	s := config.New("web")
	s.Content = t.TempDir() + "/absent"
	if err := Sync(s); err != nil {
		t.Errorf("of a directory: %v", err)
	}
	s.Image = "web.raw"
	if err := Sync(s); err == nil {
		t.Error("of content that is not there")
	}
}
