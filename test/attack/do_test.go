// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// do makes inside what an attempt on a verb of the host begins with.
func do(name string) error {
	switch name {
	case "send-descriptors":
		return sendDescriptors()
	case "fill-signals":
		return fillSignals()
	case "take-huge-pages":
		return takeHugePages()
	case "root-only":
		return printRootOnly()
	case "fork":
		return forkAll()
	case "open-terminals":
		return openTerminals()
	case "fill-queues":
		return fillQueues()
	case "flood-degraded":
		return floodDegraded()
	case "first-chroot":
		return chrootFirst()
	case "seize-peers":
		return seizePeers()
	case "leave-set-id":
		return leaveSetID()
	case "serve-dhcp-names", "serve-dhcp-flood", "serve-dhcp-garbage":
		return serveDHCP(strings.TrimPrefix(name, "serve-dhcp-"))
	case "advertise-router":
		return advertiseRouter()
	}
	return fmt.Errorf("there is no %q", name)
}

// sendDescriptors asks the notify socket to keep descriptors, as a service may ask systemd.
func sendDescriptors() error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	file, err := os.Open("/usr/bin/env")
	if err != nil {
		return err
	}
	rights := make([]int, 200)
	for i := range rights {
		rights[i] = int(file.Fd())
	}
	to := &unix.SockaddrUnix{Name: "/run/host/notify"}
	for range 50 {
		err := unix.Sendmsg(socket, []byte("FDSTORE=1\nFDNAME=t-attack"), unix.UnixRights(rights...), to, 0)
		if err != nil {
			return err
		}
	}
	return nil
}

// fillSignals has as many signals wait for itself as a user may have, and holds them.
func fillSignals() error {
	set := unix.Sigset_t{Val: [16]uint64{^uint64(0)}}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
		return err
	}
	const signal, queued = 40, -1
	info := struct {
		signal, errno, code int32
		rest                [116]byte
	}{signal: signal, code: queued}
	for n := 0; ; n++ {
		err := call(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(os.Getpid()), uintptr(unix.Gettid()), signal,
			uintptr(unsafe.Pointer(&info)))
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			return err
		}
	}
	fmt.Println("full")
	time.Sleep(10 * time.Second)
	return nil
}
