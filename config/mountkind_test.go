// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

// TestMountKinds: what code may ask about each kind.
func TestMountKinds(t *testing.T) {
	type properties struct{ hostFiles, image, inside, memory, hostSource, writable bool }
	for kind, want := range map[MountKind]properties{
		MountHostBind:  {hostFiles: true, hostSource: true, writable: true},
		MountHostShow:  {hostFiles: true, hostSource: true},
		MountHostImage: {image: true, hostSource: true, writable: true},
		MountGuestBind: {inside: true},
		MountRAM:       {memory: true, writable: true},
		"":             {},
		"no such":      {},
	} {
		got := properties{
			kind.ShowsHostFiles(), kind.ShowsImage(), kind.ShowsInside(), kind.ShowsMemory(), kind.HasHostSource(),
			kind.IsWritable(),
		}
		if got != want {
			t.Errorf("%q: %+v, want %+v", kind, got, want)
		}
	}
	for _, d := range mountKinds() {
		if d.kind.describe().kind != d.kind || d.shows == 0 || d.form == "" || d.read == nil || d.text == nil {
			t.Errorf("%q is not described: %+v", d.kind, d)
		}
	}
}

func BenchmarkMountKind(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if MountRAM.ShowsInside() {
			b.Fatal("memory is nothing of the container's")
		}
	}
}
