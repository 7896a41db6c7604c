// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/binary"
	"errors"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoCalls32 is where there is no second set of system calls to try.
var errNoCalls32 = errors.Join(errors.New("not an x86-64"), unix.ENOSYS)

// call32 makes a system call of 32 bits, whose numbers are others, by a few bytes of machine code: what a filter that
// knows only one architecture lets through.
func call32(number, first, second uint32) (err error) {
	if runtime.GOARCH != "amd64" {
		return errNoCalls32
	}
	memory, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_32BIT, ^uintptr(0), 0)
	if errno != 0 {
		return errno
	}
	result := memory + 2048
	word := func(code []byte, value uint32) []byte { return binary.LittleEndian.AppendUint32(code, value) }
	code := word([]byte{0xb8}, number)              // mov eax, number
	code = word(append(code, 0xbb), first)          // mov ebx, first
	code = word(append(code, 0xb9), second)         // mov ecx, second
	code = append(code, 0x31, 0xd2)                 // xor edx, edx
	code = append(code, 0x31, 0xf6, 0x31, 0xff)     // xor esi, esi; xor edi, edi
	code = append(code, 0xcd, 0x80)                 // int 0x80
	code = append(code, 0x89, 0x04, 0x25)           // mov [result], eax
	code = append(word(code, uint32(result)), 0xc3) // ret
	for i, b := range code {
		*(*byte)(at(memory + uintptr(i))) = b
	}
	// A kernel without them faults.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = unix.ENOSYS
		}
	}()
	entry := &memory
	run := *(*func())(unsafe.Pointer(&entry))
	run()
	if value := int32(*(*uint32)(at(result))); value < 0 && value > -4096 {
		return syscall.Errno(-value)
	}
	return nil
}

// at is the memory at an address that the runtime does not manage.
func at(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }
