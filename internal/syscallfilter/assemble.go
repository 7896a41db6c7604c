// SPDX-License-Identifier: Apache-2.0

package syscallfilter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// verdict is what the kernel does with a call: a value that a filter returns (seccomp(2)).
type verdict uint32

const allow verdict = unix.SECCOMP_RET_ALLOW

// refused is a call that does nothing and fails.
func refused(number unix.Errno) verdict { return unix.SECCOMP_RET_ERRNO | verdict(number) }

// Offsets in struct seccomp_data.
const (
	offsetNumber       = 0
	offsetArchitecture = 4
	offsetArguments    = 16
)

// stretch is neighbouring numbers, from the one before it on, of the same call's rules.
type stretch struct {
	first uint32
	call  call
}

// assemble makes the program: a branch for each architecture, and in that a search for the number by halves, so that no
// call is a long way off and the kernel, which tries all of them when it loads the program, is soon done.
func assemble(r rules, list []*arch.Info) ([]byte, error) {
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: offsetArchitecture, Size: 4}}
	for _, a := range list {
		branch, err := search(stretches(r, a))
		if err != nil {
			return nil, err
		}
		branch = append([]bpf.Instruction{bpf.LoadAbsolute{Off: offsetNumber, Size: 4}}, branch...)
		program = append(program, unless(bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(a.ID)}, len(branch))...)
		program = append(program, branch...)
	}
	program = append(program, bpf.RetConstant{Val: uint32(refused(unix.EPERM))})
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("assemble the filter of system calls: %w", err)
	}
	if len(raw) > maxInstructions {
		return nil, errors.New("the filter of system calls is too long for the kernel")
	}
	data := make([]byte, 0, 8*len(raw))
	for _, i := range raw {
		data = binary.NativeEndian.AppendUint16(data, i.Op)
		data = append(data, i.Jt, i.Jf)
		data = binary.NativeEndian.AppendUint32(data, i.K)
	}
	return data, nil
}

// maxInstructions is BPF_MAXINSNS of the kernel.
const maxInstructions = 4096

// stretches lists all numbers of an architecture in ascending order. A number beyond the known ones is of a kernel that
// is newer than the tables: programs that try a new call are to go on with an older one.
func stretches(r rules, a *arch.Info) []stretch {
	last := 0
	for number := range a.SyscallNumbers {
		last = max(last, number)
	}
	var list []stretch
	for number := range last + 1 {
		c := call{always: r.others}
		if name, found := a.SyscallNumbers[number]; found {
			c = r.on(a, name)
		}
		if n := len(list); n == 0 || !list[n-1].call.equal(c) {
			list = append(list, stretch{uint32(number), c})
		}
	}
	beyond := r.others
	if beyond != allow {
		beyond = refused(unix.ENOSYS)
	}
	list = append(list, stretch{uint32(last + 1), call{always: beyond}})
	if a == arch.X86_64 {
		// All calls are there once more, for programs of x32. No distribution's are, and kernels do without.
		list = append(list, stretch{uint32(arch.X32.SeccompMask), call{always: refused(unix.ENOSYS)}})
	}
	return list
}

// search returns instructions that find the stretch of the loaded number and return its verdict.
func search(list []stretch) ([]bpf.Instruction, error) {
	if len(list) == 1 {
		return list[0].call.instructions()
	}
	middle := list[len(list)/2:]
	below, err := search(list[:len(list)/2])
	if err != nil {
		return nil, err
	}
	above, err := search(middle)
	if err != nil {
		return nil, err
	}
	jump := unless(bpf.JumpIf{Cond: bpf.JumpLessThan, Val: middle[0].first}, len(below))
	return append(append(jump, below...), above...), nil
}

// unless goes on with the next instruction where the test holds, and otherwise skips some. A conditional jump reaches
// 255 of them.
func unless(test bpf.JumpIf, skip int) []bpf.Instruction {
	if skip <= math.MaxUint8 {
		test.SkipFalse = uint8(skip)
		return []bpf.Instruction{test}
	}
	test.SkipTrue = 1
	return []bpf.Instruction{test, bpf.Jump{Skip: uint32(skip)}}
}

func (c call) equal(other call) bool {
	return c.always == other.always &&
		slices.EqualFunc(c.allowed, other.allowed, func(a, b arguments) bool { return slices.Equal(a, b) })
}

// instructions return the verdict for a call: allow where one of its cases holds.
func (c call) instructions() ([]bpf.Instruction, error) {
	var list []bpf.Instruction
	for _, conditions := range c.allowed {
		var tests []bpf.Instruction
		for _, condition := range conditions {
			test, err := compare(condition)
			if err != nil {
				return nil, err
			}
			tests = append(tests, test...)
		}
		tests = append(tests, bpf.RetConstant{Val: uint32(allow)})
		// What does not hold goes on behind all of this.
		for i := range tests {
			if jump, isJump := tests[i].(bpf.JumpIf); isJump {
				jump.SkipFalse = uint8(len(tests) - i - 1)
				tests[i] = jump
			}
		}
		list = append(list, tests...)
	}
	return append(list, bpf.RetConstant{Val: uint32(c.always)}), nil
}

// compare tests an argument, of 64 bits, in two halves; each jump goes on where its test holds.
func compare(a specs.LinuxSeccompArg) ([]bpf.Instruction, error) {
	mask, value, low := uint64(math.MaxUint64), a.Value, bpf.JumpEqual
	switch a.Op {
	case specs.OpEqualTo:
	case specs.OpMaskedEqual:
		mask, value = a.Value, a.ValueTwo
	case specs.OpLessThan:
		if a.Value > math.MaxUint32 {
			return nil, fmt.Errorf("compare an argument with %d: it is too large", a.Value)
		}
		value, low = a.Value, bpf.JumpLessThan
	default:
		return nil, fmt.Errorf("compare an argument: %s is not known", a.Op)
	}
	offset := uint32(offsetArguments + 8*a.Index)
	lowOffset, highOffset := offset, offset+4
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		lowOffset, highOffset = highOffset, lowOffset
	}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: highOffset, Size: 4},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: uint32(mask >> 32)},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(value >> 32)},
		bpf.LoadAbsolute{Off: lowOffset, Size: 4},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: uint32(mask)},
		bpf.JumpIf{Cond: low, Val: uint32(value)},
	}, nil
}
