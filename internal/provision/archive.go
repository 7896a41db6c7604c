// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/contentarchive"
	"github.com/virt-sandbox/virt-sandbox/internal/ctxio"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// ExportOptions are what an administrator asks of export.
type ExportOptions struct {
	Name   string
	Freeze bool // whether one that is up is halted for as long as the export takes
	Zstd   bool // whether the archive is compressed (zstd(1))
}

// Export writes a sandbox, config and content, to an archive that Import reads. Errors: config.ErrNotFound,
// ErrRunning.
func (p *Provisioner) Export(ctx context.Context, o ExportOptions, out io.Writer) error {
	lock, err := p.Containers.LockName(ctx, o.Name)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, text, err := p.Configs.LoadText(o.Name)
	if err != nil {
		return err
	}
	// The archive has one file for all that makes it the sandbox that it is.
	text = s.TextLike(p.Configs.Path(o.Name), text)
	closed, err := p.Images.OpenIfDown(ctx, s)
	if err != nil {
		return err
	}
	defer closed()
	if err := p.requireContent(s); err != nil {
		return err
	}
	release, err := p.Containers.Hold(ctx, s, o.Freeze)
	if err != nil {
		return err
	}
	return errors.Join(p.writeArchive(ctx, s, text, o.Zstd, out), release())
}

func (p *Provisioner) writeArchive(
	ctx context.Context, s *config.Sandbox, text string, compressed bool, out io.Writer,
) error {
	end := func() error { return nil }
	out, finish := ctxio.NewWriter(ctx, out)
	if compressed {
		compressor, err := zstd.NewWriter(out)
		if err != nil {
			return fmt.Errorf("compress archive: %w", err)
		}
		out, end = compressor, compressor.Close
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	archive := tar.NewWriter(buffered)
	err := contentarchive.AddText(archive, s.Name+config.Suffix, text)
	if err == nil {
		err = contentarchive.Export(ctx, s, archive, p.Progress)
	}
	if err != nil {
		return err
	}
	for _, finishPart := range []func() error{archive.Close, buffered.Flush, end, finish} {
		if err := finishPart(); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	return nil
}

// ErrBeyond is returned by Import for an archive whose config asks for what reaches beyond the sandbox.
var ErrBeyond = errors.New("asks for what reaches beyond the sandbox")

// Import makes the sandbox that an archive has. Where it keeps its name, and no other sandbox here is the same, it
// stays the one that it was; else it gets an identity of its own, as a clone. When it fails, nothing stays behind;
// when it is killed, the next import, create or delete of the name removes what it left. Errors: ErrBeyond.
func (p *Provisioner) Import(ctx context.Context, o describe.ImportOptions, in io.Reader) (*config.Sandbox, error) {
	archive, end, err := openArchive(ctxio.NewReader(ctx, in))
	if err != nil {
		return nil, err
	}
	defer end()
	from, text, err := readConfig(archive)
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if o.Name == "" {
		o.Name = from.Name
	}
	if err := config.CheckName(o.Name); err != nil {
		return nil, err
	}
	lock, err := p.Containers.LockName(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	s, err := describe.Import(from, o, func() (bool, error) { return p.isOnlyHere(from) })
	if err != nil {
		return nil, err
	}
	if s, err = p.Configs.WithDropIns(s); err != nil {
		return nil, err
	}
	if beyond := describe.ReachesBeyond(from); len(beyond) > 0 && !o.Trust {
		return nil, field.Errorf("the config in the archive %w: %s; if you trust who made it, allow that with %s",
			ErrBeyond, strings.Join(beyond, ", "), field.Trust)
	}
	if err := p.checkPrerequisites(ctx, s); err != nil {
		return nil, err
	}
	if !o.Trust {
		p.giveIDs(s)
	}
	return s, p.provision(ctx, s, provisionSpec{
		options: describe.Options{
			Level: o.Level, Security: o.Security, Share: o.Share, FileType: s.Security.FileType,
		},
		like:                 text,
		given:                config.Given{Level: o.Level != ""},
		reallocateOnConflict: o.Level == "" && o.Security.Mode == "" && !o.Share,
		fill: func() error {
			lacking, err := contentarchive.Import(ctx, p.Host, from, s, archive, p.Progress)
			if err != nil {
				return err
			}
			for _, path := range lacking {
				p.Warn("%s is not private in %s: the archive has no content for it", path, s.Name)
			}
			return p.Host.Prepare(ctx, s, p.Progress)
		},
	})
}

// maxWindow bounds what decompression keeps in memory: what zstd(1) makes without --long or --ultra needs less.
const maxWindow = 64 << 20

// openArchive reads an archive, compressed or not.
func openArchive(in io.Reader) (archive *tar.Reader, end func(), err error) {
	buffered := bufio.NewReaderSize(in, 1<<20)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read archive: %w", err)
	}
	if !bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return tar.NewReader(buffered), func() {}, nil
	}
	decompressor, err := zstd.NewReader(buffered,
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(2*maxWindow))
	if err != nil {
		return nil, nil, fmt.Errorf("read archive: %w", err)
	}
	return tar.NewReader(decompressor), decompressor.Close, nil
}

// readConfig reads the first member of an archive.
func readConfig(archive *tar.Reader) (s *config.Sandbox, text string, err error) {
	header, err := archive.Next()
	if errors.Is(err, io.EOF) {
		return nil, "", errors.New("it is empty")
	}
	if err != nil {
		return nil, "", err
	}
	name, found := strings.CutSuffix(header.Name, config.Suffix)
	if !found || header.Typeflag != tar.TypeReg || config.CheckName(name) != nil {
		return nil, "", errors.New("it does not begin with the config of a sandbox; only what export wrote can be imported")
	}
	// More than any config has, so that one that is too long is refused as such.
	data, err := io.ReadAll(io.LimitReader(archive, 2<<20))
	if err != nil {
		return nil, "", err
	}
	s, err = config.Parse(header.Name, string(data))
	return s, string(data), err
}

// isOnlyHere reports whether a sandbox of another host has an identity, and neither a sandbox nor the host itself has
// the same.
func (p *Provisioner) isOnlyHere(from *config.Sandbox) (bool, error) {
	if from.UUID == "" || from.MachineID == "" || from.Created.IsZero() {
		return false, nil
	}
	if p.Host.MachineID() == from.MachineID {
		return false, nil
	}
	names, err := p.Configs.Names()
	if err != nil {
		return false, err
	}
	for _, name := range names {
		other, err := p.Configs.Known(name)
		if err == nil && (other.UUID == from.UUID || other.MachineID == from.MachineID) {
			return false, nil
		}
	}
	return true, nil
}
