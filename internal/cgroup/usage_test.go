// SPDX-License-Identifier: Apache-2.0

package cgroup

import "testing"

// TestReadIO: bytes of all devices are counted, of either version, and nothing else.
func TestReadIO(t *testing.T) {
	for file, text := range map[string]string{
		"io.stat": "8:0 rbytes=10 wbytes=1 rios=3 wios=4 dbytes=7 dios=0\n8:16 rbytes=5 wbytes=2\n",
		"blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 1\n8:0 Sync 11\n8:0 Total 11\n" +
			"8:16 Read 5\n8:16 Write 2\nTotal 18\n",
	} {
		dir := t.TempDir()
		write(t, dir+"/"+file, text)
		if read, written := readIO(dir); read == nil || written == nil || *read != 15 || *written != 3 {
			t.Errorf("%s: %v, %v", file, read, written)
		}
	}
	if read, written := readIO(t.TempDir()); read != nil || written != nil {
		t.Error("what nobody counts is known")
	}
}
