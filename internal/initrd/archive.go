// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cavaliergopher/cpio"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// Options are what an initrd is made of, beside the kernel.
type Options struct {
	Init    string   // file of virt-sandbox-init
	Modules []string // to be loaded at the start, with all they need; an error where the kernel lacks one
	// to be loaded when asked for: a name such as fs-xfs, and the module; left out where the kernel lacks it
	Spare map[string]string
}

// contents are the files that an initrd takes from the host, and its list of modules.
type contents struct {
	init    string
	modules []module
	list    string
}

// resolve finds what goes into an initrd, before any of it is read.
func resolve(k Kernel, o Options) (*contents, error) {
	if err := readable(o.Init); err != nil {
		return nil, fmt.Errorf("virt-sandbox-init: %w", err)
	}
	x, err := readIndex(k.Modules)
	if err != nil {
		return nil, err
	}
	c := contents{init: o.Init}
	start, err := x.order(o.Modules)
	if err != nil {
		return nil, fmt.Errorf("kernel %s: %w, neither in %s nor built in; a sandbox needs a kernel with %s (on Debian "+
			"that of linux-image-amd64; linux-image-cloud-amd64 has no 9p)",
			k.Release, err, k.Modules, strings.Join(o.Modules, ", "))
	}
	var list strings.Builder
	c.add(&list, guest.ModulesAtStart, start)
	for _, name := range slices.Sorted(maps.Keys(o.Spare)) {
		modules, err := x.order([]string{o.Spare[name]})
		var missing *MissingModules
		if errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.add(&list, name, modules)
	}
	c.list = list.String()
	for _, m := range c.modules {
		if err := readable(filepath.Join(k.Modules, m.file)); err != nil {
			return nil, fmt.Errorf("kernel module %s: %w; install the modules of %s again, or run depmod %[3]s if it is not "+
				"needed any more", m.name, err, k.Release)
		}
	}
	slices.SortFunc(c.modules, func(a, b module) int { return cmp.Compare(a.name, b.name) })
	return &c, nil
}

func (c *contents) add(list *strings.Builder, name string, modules []module) {
	list.WriteString(name)
	for _, m := range modules {
		list.WriteByte(' ')
		if m.optional {
			list.WriteString(guest.ModuleOptional)
		}
		list.WriteString(m.name)
		if !slices.ContainsFunc(c.modules, func(have module) bool { return have.name == m.name }) {
			c.modules = append(c.modules, m)
		}
	}
	list.WriteByte('\n')
}

// write makes the archive. It is not packed: an emulated machine takes longer to unpack it than to have more bytes
// given.
func (c *contents) write(out io.Writer, k Kernel) error {
	w := archive{cpio.NewWriter(out)}
	if err := w.directories(guest.ModuleDir); err != nil {
		return err
	}
	if err := w.copy(guest.ProgramFile, c.init); err != nil {
		return err
	}
	for _, link := range []string{guest.MachineInit, guest.ModprobeFile} {
		if err := w.add(link, cpio.TypeSymlink|0o777, []byte(guest.ProgramFile)); err != nil {
			return err
		}
	}
	if err := w.add(guest.ModuleList, cpio.TypeReg|0o444, []byte(c.list)); err != nil {
		return err
	}
	for _, m := range c.modules {
		data, err := readModule(filepath.Join(k.Modules, m.file))
		if err != nil {
			return fmt.Errorf("kernel module %s: %w", m.name, err)
		}
		if err := w.add(filepath.Join(guest.ModuleDir, m.name), cpio.TypeReg|0o444, data); err != nil {
			return err
		}
	}
	return w.Close()
}

// archive writes newc, the format of initrds (Documentation/driver-api/early-userspace/buffer-format.rst of the
// kernel).
type archive struct{ *cpio.Writer }

// directories makes a directory and those above it.
func (w archive) directories(dir string) error {
	if above := filepath.Dir(dir); above != "/" {
		if err := w.directories(above); err != nil {
			return err
		}
	}
	return w.add(dir, cpio.TypeDir|0o755, nil)
}

func (w archive) add(name string, mode cpio.FileMode, data []byte) error {
	// The target of a link is its data.
	err := w.WriteHeader(&cpio.Header{Name: strings.TrimPrefix(name, "/"), Mode: mode, Links: 1, Size: int64(len(data))})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	return nil
}

func (w archive) copy(name, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return w.add(name, cpio.TypeReg|0o555, data)
}
