// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// DryRun collects what would be written and prints it.
type DryRun struct {
	files []File
}

// Put implements Sink.
func (d *DryRun) Put(f File) error {
	d.files = append(d.files, f)
	return nil
}

// Print writes each file under a comment with the place that it has on a running host.
func (d *DryRun) Print(w io.Writer) error {
	slices.SortFunc(d.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var out bytes.Buffer
	for i, f := range d.files {
		if i > 0 {
			out.WriteByte('\n')
		}
		dir := "/run/systemd/generator/"
		switch {
		case f.Late:
			dir = "/run/systemd/generator.late/"
		case f.Early:
			dir = "/run/systemd/generator.early/"
		}
		out.WriteString("# " + dir + f.Path)
		if f.Link != "" {
			out.WriteString(" -> " + f.Link)
		}
		out.WriteByte('\n')
		out.Write(f.Text)
	}
	_, err := w.Write(out.Bytes())
	return err
}
