// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Who follows the journal in an image that is down would keep the sandbox from being started.
func TestFollowOfStoppedImage(t *testing.T) {
	s := config.New("box")
	s.Image = t.TempDir() + "/box.raw"
	_, err := new(Manager).journalOfStopped(context.Background(), s, LogOptions{Follow: true}, nil, io.Discard, io.Discard)
	if !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "box is not running; start it to follow") {
		t.Errorf("got %v", err)
	}
}
