// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/overlay"
)

// layersDir is where the layers of an overlay are mounted while it is made: before 6.15 the kernel takes none that is
// mounted nowhere.
const layersDir = ".layers"

// ErrNoOverlay is returned by Build where the content lies on a file system that no overlay can write to.
var ErrNoOverlay = errors.New("a container cannot have its own /etc there")

// overlay lays the source of a mount over its lower directory.
func (b *builder) overlay(m Mount) (tree int, err error) {
	lower, err := b.layer("lower", Mount{Source: m.Lower, ReadOnly: true})
	if err != nil {
		return -1, err
	}
	defer b.dropLayer("lower", lower)
	content, err := b.layer("upper", Mount{Source: m.Below})
	if err != nil {
		return -1, err
	}
	defer b.dropLayer("upper", content)
	upper, err := openBelow(content, m.Source)
	if err != nil {
		return -1, err
	}
	defer unix.Close(upper)
	work, err := openBelow(content, m.Work)
	if err != nil {
		return -1, err
	}
	defer unix.Close(work)
	tree, err = overlay.Mount(overlay.Layers{
		Lower: lower, Upper: upper, Work: work, Label: b.content.Label, Root: uint32(b.content.IDs.Base),
	})
	if errors.Is(err, overlay.ErrUnfit) {
		return -1, fmt.Errorf("%w: %s (%s): %w; keep the content elsewhere, such as on ext4 or xfs",
			ErrNoOverlay, m.Below, fileSystem(m.Below), err)
	}
	if err != nil {
		return -1, err
	}
	return tree, b.makesPointsIn(tree)
}

// layer mounts a directory of the host at a name of layersDir, with the ids of the container.
func (b *builder) layer(name string, m Mount) (int, error) {
	source, err := b.openTrusted(m.Source)
	if err != nil {
		return -1, err
	}
	defer unix.Close(source)
	tree, err := b.clone(source, m)
	if err != nil {
		return -1, err
	}
	point, err := b.layerPoint(name)
	if err == nil {
		err = unix.MoveMount(tree, "", point, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
		unix.Close(point)
	}
	if err != nil {
		unix.Close(tree)
		return -1, fmt.Errorf("mount a layer of an overlay: %w", err)
	}
	return tree, nil
}

func (b *builder) layerPoint(name string) (int, error) {
	for _, dir := range []string{layersDir, layersDir + "/" + name} {
		if err := unix.Mkdirat(b.root, dir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, &os.PathError{Op: "make", Path: dir, Err: err}
		}
	}
	return openBelow(b.root, layersDir+"/"+name)
}

// dropLayer takes a layer away again; the overlay has a mount of its own of it.
func (b *builder) dropLayer(name string, tree int) {
	_ = unix.Unmount("/proc/self/fd/"+strconv.Itoa(tree), unix.MNT_DETACH)
	unix.Close(tree)
	_ = unix.Unlinkat(b.root, layersDir+"/"+name, unix.AT_REMOVEDIR)
	_ = unix.Unlinkat(b.root, layersDir, unix.AT_REMOVEDIR)
}
