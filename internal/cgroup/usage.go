// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Usage is what the processes of a sandbox use; nil is not known.
type Usage struct {
	Memory *uint64  // bytes, with the cache of its files
	CPU    *float64 // seconds
	PIDs   *uint64  // processes and threads

	Read, Written *uint64 // bytes of block devices
}

// Usage reads what the groups of a sandbox count. Of version 1 each controller has a group of its own.
func (g Groups) Usage(sandbox string) Usage {
	group := func(controller string) string { return wholeOf(g.counting(controller), sandbox) }
	u := Usage{
		Memory: readCount(group("memory"), "memory.current", "memory.usage_in_bytes"),
		PIDs:   readCount(group("pids"), "pids.current"),
	}
	cpu := group("cpuacct")
	if nanoseconds := readCount(cpu, "cpuacct.usage"); nanoseconds != nil {
		seconds := float64(*nanoseconds) / 1e9
		u.CPU = &seconds
	} else if microseconds := readCount(cpu, "cpu.stat"); microseconds != nil {
		seconds := float64(*microseconds) / 1e6
		u.CPU = &seconds
	}
	u.Read, u.Written = readIO(group("blkio"))
	return u
}

// unbounded is from where on a bound of memory of version 1 is none.
const unbounded = 1 << 62

// Limits returns what the processes of a sandbox may use at most, now: bytes of memory, and processes and threads. Nil
// is no bound, or not known.
func (g Groups) Limits(sandbox string) (memory, pids *uint64) {
	group := func(controller string) string { return bounding(g.counting(controller), sandbox) }
	memory = readCount(group("memory"), "memory.max", "memory.limit_in_bytes")
	if memory != nil && *memory >= unbounded {
		memory = nil
	}
	return memory, readCount(group("pids"), "pids.max")
}

// readIO reads how many bytes of block devices the processes of a group have read and written. Version 2 has a line for
// each device with rbytes= and wbytes=, version 1 one for each device and kind.
func readIO(group string) (read, written *uint64) {
	if group == "" {
		return nil, nil
	}
	for _, file := range []string{"io.stat", "blkio.throttle.io_service_bytes_recursive"} {
		text, err := os.ReadFile(filepath.Join(group, file))
		if err != nil {
			continue
		}
		read, written = new(uint64), new(uint64)
		kind := ""
		for word := range strings.FieldsSeq(string(text)) {
			if name, number, found := strings.Cut(word, "="); found {
				kind, word = name, number
			}
			number, err := strconv.ParseUint(word, 10, 64)
			switch {
			case err != nil:
				kind = word
			case kind == "rbytes" || kind == "Read":
				*read += number
			case kind == "wbytes" || kind == "Write":
				*written += number
			}
		}
		break
	}
	return read, written
}

// readCount reads a number from the first file of a group that is there; of one with several, such as cpu.stat, it is
// the first. Nil for none.
func readCount(group string, files ...string) *uint64 {
	if group == "" {
		return nil
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(group, file))
		if err != nil {
			continue
		}
		for word := range strings.FieldsSeq(string(text)) {
			if number, err := strconv.ParseUint(word, 10, 64); err == nil {
				return &number
			}
		}
	}
	return nil
}
