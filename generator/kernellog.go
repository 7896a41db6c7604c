// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"fmt"
	"os"
)

// maxKernelLine is what the kernel takes in one write to its log, less what it adds itself (printk.h, LOG_LINE_MAX).
const maxKernelLine = 900

// LogToKernel writes a problem to the kernel log, which the journal takes over once it runs; a generator may be there
// before it. Where there is no kernel log, as in a container, nothing happens.
func LogToKernel(program string, problem error) {
	// Opened anew for each line: the kernel limits how many come in by one descriptor.
	log, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer log.Close()
	line := problem.Error()
	if len(line) > maxKernelLine {
		line = line[:maxKernelLine]
	}
	// <3> is the priority of an error (syslog(3)).
	fmt.Fprintf(log, "<3>%s[%d]: %s\n", program, os.Getpid(), line)
}
