// SPDX-License-Identifier: Apache-2.0

// Go would keep the limit of this process's cgroup open, and root inside could open that anew by /proc/1/fd, to write.
//go:debug containermaxprocs=0

// Command virt-sandbox-init is the first program of a container. It is mounted in and reads what to do from where the
// helper put it. Later it tells the host's side of a shutdown or of units that failed: virt-sandbox-init
// stopping|rebooting|failed, and checks its health: virt-sandbox-init health|health-ready. For execute, it does the
// last part of entering: virt-sandbox-init enter …. It has --version, as all programs.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/healthcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfailed"
	"github.com/virt-sandbox/virt-sandbox/internal/version"
	"github.com/virt-sandbox/virt-sandbox/internal/virtualmachine"
)

// init keeps main on the first thread of the process. Namespaces are a thread's, and /proc/PID shows those of the
// first: by these a container is entered.
func init() { runtime.LockOSThread() }

func main() {
	switch os.Args[0] {
	case guest.MachineInit:
		virtualmachine.Run()
	case guest.ModprobeFile:
		if err := virtualmachine.Modprobe(os.Args); err != nil {
			fmt.Fprintf(os.Stderr, "virt-sandbox-init: %v\n", err)
			os.Exit(1)
		}
		return
	}
	if version.IsAsked(os.Args) {
		fmt.Print(version.Line("virt-sandbox-init"))
		return
	}
	if len(os.Args) > 2 && os.Args[1] == guest.EnterWord {
		status, err := guest.Enter(os.Args[1:])
		if err != nil {
			fmt.Fprintf(os.Stderr, "virt-sandbox-init: %v\n", err)
		}
		os.Exit(status)
	}
	if os.Getpid() != 1 && len(os.Args) == 2 {
		tell := func() error { return guest.NotifyShutdown(os.Args[1]) }
		switch os.Args[1] {
		case unitfailed.Word:
			tell = unitfailed.Tell
		case healthcheck.Word, healthcheck.ReadyWord:
			tell = func() error { return healthcheck.Run(os.Args[1]) }
		}
		if err := tell(); err != nil {
			fmt.Fprintf(os.Stderr, "virt-sandbox-init: %v\n", err)
			os.Exit(1)
		}
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "virt-sandbox-init: runs only as the first process of a container; see "+
			"virt-sandbox-service(1)")
		os.Exit(2)
	}
	plan, err := guest.ReadPlan(guest.PlanFile)
	if err == nil {
		run := guest.Run
		switch {
		case len(os.Args) == 2 && os.Args[1] == guest.PayloadWord:
			run = guest.RunCommand
		case len(os.Args) == 3 && os.Args[1] == guest.PayloadWord:
			run = func(p *guest.Plan) (int, error) { return guest.ResumeCalled(p, os.Args[2]) }
		}
		var status int
		if status, err = run(plan); err == nil {
			os.Exit(status)
		}
	}
	fmt.Fprintf(os.Stderr, "virt-sandbox-init: %v\n", err)
	os.Exit(1)
}
