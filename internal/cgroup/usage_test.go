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

// TestLimits: what bounds a container is found above what it sees, whichever version the host has.
func TestLimits(t *testing.T) {
	const libvirts = "/lxc-1-web.libvirt-lxc"
	for _, c := range []struct {
		version2     bool
		files        map[string]string
		memory, pids uint64 // 0 is none
	}{
		{true, map[string]string{libvirts + "/memory.max": "4096\n", libvirts + "/pids.max": "7\n",
			libvirts + "/virt-sandbox-web/memory.max": "1\n"}, 4096, 7},
		{true, map[string]string{libvirts + "/memory.max": "max\n", libvirts + "/pids.max": "max\n"}, 0, 0},
		{false, map[string]string{"/memory" + libvirts + "/memory.limit_in_bytes": "8192\n",
			"/pids/x/virt-sandbox-web/pids.max": "9\n"}, 8192, 9},
		{false, map[string]string{"/memory" + libvirts + "/memory.limit_in_bytes": "9223372036854771712\n"}, 0, 0},
	} {
		hierarchies, text := map[string]string{"memory": "memory", "pids": "pids"}, "8:memory:"+libvirts+
			"/virt-sandbox-web\n7:pids:/x/virt-sandbox-web/container\n"
		if c.version2 {
			hierarchies, text = map[string]string{"": ""}, "0::"+libvirts+"/virt-sandbox-web/init.scope\n"
		}
		tree := fakeTree(t, hierarchies, 7, text)
		for file, value := range c.files {
			write(t, tree.Root+file, value)
		}
		memory, pids := groupsOf(t, tree).Limits("web")
		for _, one := range []struct {
			what string
			got  *uint64
			want uint64
		}{{"memory", memory, c.memory}, {"pids", pids, c.pids}} {
			if one.got == nil && one.want != 0 || one.got != nil && *one.got != one.want {
				t.Errorf("%v: %s is %v, want %d", c.files, one.what, one.got, one.want)
			}
		}
	}
}
