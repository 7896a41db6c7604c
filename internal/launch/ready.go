// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"net"
	"strings"
	"time"
)

// ListenReady waits for READY=1 of sd_notify(3) and closes ready. It believes nothing else that a container says.
func ListenReady(ctx context.Context, socket *net.UnixConn, ready chan<- struct{}) {
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Now()) })
	defer stop()
	buffer := make([]byte, 4096)
	for {
		n, err := socket.Read(buffer)
		if err != nil {
			return
		}
		for l := range strings.Lines(string(buffer[:n])) {
			if strings.TrimSpace(l) == "READY=1" {
				close(ready)
				return
			}
		}
	}
}
