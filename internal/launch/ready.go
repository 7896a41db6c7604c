// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"net"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/report"
)

// ListenReady waits for READY=1 of sd_notify(3) and closes ready. It believes nothing else that a container says.
func ListenReady(ctx context.Context, socket *net.UnixConn, ready chan<- struct{}) {
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Now()) })
	defer stop()
	_ = report.Read(socket, func(name, value string) bool {
		if name != "READY" || value != "1" {
			return true
		}
		close(ready)
		return false
	})
}
