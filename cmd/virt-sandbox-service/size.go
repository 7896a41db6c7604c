// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/virt-sandbox/virt-sandbox/helper"
)

// measureLimit is how long the size of content may take: that it is told is worth no long wait.
const measureLimit = 2 * time.Second

// sizeOf returns how many bytes of the host the content of a sandbox takes; nil where that is not known, or not soon.
func sizeOf(ctx context.Context, m *helper.Manager, name string) *int64 {
	s, err := m.Store.Load(name)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	top := s.Content
	if s.Image != "" {
		top = s.Image
	}
	return diskUsage(ctx, top)
}

// diskUsage counts the blocks of a file, or of all below a directory, as du(1) does.
func diskUsage(ctx context.Context, top string) *int64 {
	type inode struct{ device, number uint64 }
	seen := make(map[inode]bool)
	var total int64
	err := filepath.WalkDir(top, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			if stat.Nlink > 1 && !e.IsDir() {
				id := inode{stat.Dev, stat.Ino}
				if seen[id] {
					return ctx.Err()
				}
				seen[id] = true
			}
			total += stat.Blocks * 512
		}
		return ctx.Err()
	})
	if err != nil {
		return nil
	}
	return &total
}

// freedText is how a line says how much has gone; nothing where that is not known.
func freedText(bytes *int64) string {
	if bytes == nil {
		return ""
	}
	number := uint64(*bytes)
	return " (" + size(&number) + ")"
}
