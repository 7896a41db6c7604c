// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/usernamespace"
)

// CheckIDMap reports whether a container with ids of its own can be shown directories and files of the host: it tries,
// and mounts nothing. Errors: ErrNoIDMap.
func CheckIDMap(paths []string) error {
	users, err := usernamespace.Make(containerIDs(config.IDMap{Base: 1 << 30, Count: config.IDMapCount}))
	if err != nil {
		return fmt.Errorf("make a user namespace: %w; see user.max_user_namespaces of sysctl(8)", err)
	}
	defer users.Close()
	return namespace.InHostMounts(func() error {
		b := builder{content: &Content{}, users: int(users.Fd())}
		for _, p := range paths {
			source, err := b.openTrusted(p)
			if err != nil {
				return err
			}
			tree, err := b.clone(source, Mount{Source: p})
			unix.Close(source)
			if err != nil {
				return err
			}
			unix.Close(tree)
		}
		return nil
	})
}
