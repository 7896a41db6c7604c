// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Only a line READY=1 counts, wherever it stands in a message.
func TestListenReady(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []string
		ready    bool
	}{
		{"alone", []string{"READY=1"}, true},
		{"among others", []string{"STATUS=up\nREADY=1\nMAINPID=1"}, true},
		{"after others", []string{"STATUS=up", strings.Repeat("x", 10000), "READY=1\n"}, true},
		{"not ready", []string{"READY=0", "STATUS=READY=1", "XREADY=1", ""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
			socket, err := net.ListenUnixgram("unixgram", address)
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			client, err := net.DialUnix("unixgram", nil, address)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithCancel(t.Context())
			ready, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				ListenReady(ctx, socket, ready)
			}()
			for _, m := range c.messages {
				if _, err := client.Write([]byte(m)); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-ready:
				if !c.ready {
					t.Error("it is said to be ready")
				}
			case <-time.After(300 * time.Millisecond):
				if c.ready {
					t.Error("it is not said to be ready")
				}
			}
			cancel()
			<-ended
		})
	}
}
