// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"os"
	"sync"
	"testing"
	"time"
)

// What is written into a file keeps all that others write there meanwhile: both outputs of a command into one log, and
// the shell that called it.
func TestMoveIntoSharedFile(t *testing.T) {
	log, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var pipes [2]*os.File
	var moves sync.WaitGroup
	for i := range pipes {
		var read *os.File
		if read, pipes[i], err = os.Pipe(); err != nil {
			t.Fatal(err)
		}
		moves.Go(func() {
			if err := move(log, read); err != nil {
				t.Error(err)
			}
			read.Close()
		})
	}
	time.Sleep(50 * time.Millisecond) // until both wait
	say := func(to *os.File, text string) {
		t.Helper()
		if _, err := to.WriteString(text); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	say(log, "shell\n")
	say(pipes[0], "output\n")
	say(pipes[1], "error\n")
	say(log, "another\n")
	pipes[0].Close()
	pipes[1].Close()
	moves.Wait()
	say(log, "end\n")
	const want = "shell\noutput\nerror\nanother\nend\n"
	if got, err := os.ReadFile(log.Name()); err != nil || string(got) != want {
		t.Errorf("%v:\n%s", err, got)
	}
}
