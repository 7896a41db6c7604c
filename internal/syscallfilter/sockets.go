// SPDX-License-Identifier: Apache-2.0

package syscallfilter

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// hostProtocols are those of AF_NETLINK by which what the kernel has once for all is set up: with CAP_NET_ADMIN, and
// without ids of its own, root inside would choose the ciphers and the RDMA devices of the host. The log of audit is
// the host's, and programs that log in need CAP_AUDIT_WRITE, with which root inside could write into it what it
// likes.
func hostProtocols(audit bool) uint32 {
	protocols := uint32(1<<unix.NETLINK_ISCSI | 1<<unix.NETLINK_CONNECTOR | 1<<unix.NETLINK_SCSITRANSPORT |
		1<<unix.NETLINK_ECRYPTFS | 1<<unix.NETLINK_RDMA | 1<<unix.NETLINK_CRYPTO)
	if !audit {
		protocols |= 1 << unix.NETLINK_AUDIT
	}
	return protocols
}

// rareFamilies are those of sockets that no service which distributions package needs. Whoever asks for one has the
// host load the module that it is in, and these are what few people look after.
func rareFamilies() []uint64 {
	return []uint64{
		unix.AF_X25, unix.AF_ATMPVC, unix.AF_NETBEUI, unix.AF_SECURITY, unix.AF_ASH, unix.AF_RDS, unix.AF_SNA, unix.AF_LLC,
		unix.AF_IB, unix.AF_MPLS, unix.AF_TIPC, unix.AF_IUCV, unix.AF_RXRPC, unix.AF_PHONET, unix.AF_IEEE802154, unix.AF_NFC,
	}
}

// withoutHostSockets takes sockets of rareFamilies, and of hostProtocols. The error is that of a kernel without them,
// which programs do without, as those that log in do in containers of systemd-nspawn; sockets of other refused kinds
// then get it too. 32-bit programs keep a way, socketcall(2), whose arguments no filter sees.
func (r rules) withoutHostSockets(audit bool) {
	const family, protocol = 0, 2
	sockets := r.of("socket")
	without := call{always: refused(unix.EAFNOSUPPORT)}
	for _, a := range sockets.allowed {
		if len(a) == 1 && a[0].Index == family && slices.Contains(rareFamilies(), a[0].Value) {
			continue
		}
		if len(a) != 1 || a[0].Index != family || a[0].Op != specs.OpEqualTo || a[0].Value != unix.AF_NETLINK {
			without.allowed = append(without.allowed, a)
			continue
		}
		for _, block := range blocks(^hostProtocols(audit), 0, mostProtocols) {
			// Numbers from mostProtocols on are the kernel's to refuse.
			other := bits(protocol, mostProtocols-block.size, block.first)
			without.allowed = append(without.allowed, arguments{a[0], other})
		}
	}
	r.byName["socket"] = without
}

// mostProtocols is MAX_LINKS of the kernel.
const mostProtocols = 32

// block is as many numbers from the first on as a power of 2, which divides the first.
type block struct{ first, size uint64 }

// blocks lists the fewest blocks of numbers whose bits are set, among so many from the first on.
func blocks(set uint32, first, size uint64) []block {
	mask := uint32(1<<size - 1)
	switch set >> first & mask {
	case mask:
		return []block{{first, size}}
	case 0:
		return nil
	}
	return append(blocks(set, first, size/2), blocks(set, first+size/2, size/2)...)
}
