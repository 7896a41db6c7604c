// SPDX-License-Identifier: Apache-2.0

package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/sandbox"
)

func ExampleRun() {
	var words bytes.Buffer
	status, err := sandbox.Run(context.Background(),
		sandbox.Options{Command: []string{"sort"}, User: "nobody", Timeout: time.Minute},
		sandbox.Streams{Stdin: strings.NewReader("pear\napple\n"), Stdout: &words, Stderr: os.Stderr})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status, words.String())
}

func ExampleStart() {
	ctx := context.Background()
	s, err := sandbox.Start(ctx, sandbox.Options{
		Command: []string{"make", "-C", "/srv"},
		Mounts:  []config.Mount{{Kind: config.MountHostBind, Target: "/srv", Source: "/home/me/project"}},
		Memory:  1 << 30,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Stop()
	// The domain is there, and waits: now is the time to look at it, or to set it up further.
	fmt.Println(s.Name())
	status, err := s.Attach(ctx, sandbox.Streams{Stdout: os.Stdout, Stderr: os.Stderr})
	fmt.Println(status, err)
}
