package helper

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
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// ExportOptions are what an administrator asks of export.
type ExportOptions struct {
	Name   string
	Freeze bool // whether one that is up is halted for as long as the export takes
	Zstd   bool // whether the archive is compressed (zstd(1))
}

// Export writes a sandbox, config and content, to an archive that Import reads. Errors: config.ErrNotFound, ErrRunning.
func (m *Manager) Export(ctx context.Context, o ExportOptions, out io.Writer) error {
	lock, err := m.lockName(ctx, o.Name)
	if err != nil {
		return err
	}
	defer lock.Release()
	text, err := m.Store.Read(o.Name)
	if err != nil {
		return err
	}
	s, err := config.Parse(m.Store.Path(o.Name), text)
	if err != nil {
		return err
	}
	closed, err := m.openIfDown(ctx, s)
	if err != nil {
		return err
	}
	defer closed()
	if err := m.requireContent(s); err != nil {
		return err
	}
	release, err := m.hold(ctx, s, o.Freeze)
	if err != nil {
		return err
	}
	return errors.Join(m.writeArchive(ctx, s, text, o.Zstd, out), release())
}

func (m *Manager) writeArchive(ctx context.Context, s *config.Sandbox, text string, compressed bool, out io.Writer) error {
	end := func() error { return nil }
	out, finish := writeUntil(ctx, out)
	if compressed {
		compressor, err := zstd.NewWriter(out)
		if err != nil {
			return fmt.Errorf("compress archive: %w", err)
		}
		out, end = compressor, compressor.Close
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	archive := tar.NewWriter(buffered)
	err := content.AddText(archive, s.Name+config.Suffix, text)
	if err == nil {
		err = m.Host.Export(ctx, s, archive, m.Progress)
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

// ImportOptions are what an administrator asks of import.
type ImportOptions struct {
	Name     string // empty: that in the archive
	Level    string // MCS level; empty: that in the archive, or where it is another's one that is allocated
	Security string // -s option; empty: as in the archive
	Share    bool   // whether the level may be one that others reach
	Base     string // directory whose subdirectory Name becomes the content; empty: the default
	Trust    bool   // whether the config may ask for what reaches beyond the sandbox
}

// ErrBeyond is returned by Import for an archive whose config asks for what reaches beyond the sandbox.
var ErrBeyond = errors.New("asks for what reaches beyond the sandbox")

// Import makes the sandbox that an archive has. Where it keeps its name, and no other sandbox here is the same, it stays the
// one that it was; else it gets an identity of its own, as a clone. When it fails, nothing stays behind; when it is killed, the
// next import, create or delete of the name removes what it left. Errors: ErrBeyond.
func (m *Manager) Import(ctx context.Context, o ImportOptions, in io.Reader) (*config.Sandbox, error) {
	archive, end, err := openArchive(readUntil(ctx, in))
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
	lock, err := m.lockName(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	s, err := m.importOf(from, o)
	if err != nil {
		return nil, err
	}
	if beyond := reachesBeyond(from); len(beyond) > 0 && !o.Trust {
		return nil, fmt.Errorf("the config in the archive %w: %s; if you trust who made it, allow that with --trust",
			ErrBeyond, strings.Join(beyond, ", "))
	}
	if err := m.canBe(ctx, s); err != nil {
		return nil, err
	}
	return s, m.bring(ctx, s, making{
		options: CreateOptions{Level: o.Level, Security: o.Security, Share: o.Share, FileType: s.Security.FileType},
		like:    text,
		yields:  o.Level == "" && o.Security == "" && !o.Share,
		fill: func() error {
			lacking, err := m.Host.Import(ctx, from, s, archive, m.Progress)
			if err != nil {
				return err
			}
			for _, p := range lacking {
				m.Warn("%s is not private in %s: the archive has no content for it", p, s.Name)
			}
			return m.Host.Prepare(ctx, s, m.Progress)
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
	decompressor, err := zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(2*maxWindow))
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

// importOf describes the sandbox that is made of what the config in an archive says.
func (m *Manager) importOf(from *config.Sandbox, o ImportOptions) (*config.Sandbox, error) {
	if from.State != config.StateUsable {
		return nil, fmt.Errorf("%s%s in the archive is marked as %s", from.Name, config.Suffix, from.State)
	}
	if from.Image != "" && from.ImageSize == 0 {
		return nil, fmt.Errorf("%s%s in the archive has an image without image-size=; write that into the config and export it again",
			from.Name, config.Suffix)
	}
	if err := checkMode(from); err != nil {
		return nil, fmt.Errorf("%s%s in the archive: mode=%s: %w", from.Name, config.Suffix, from.Security.Mode, err)
	}
	s := *from
	s.Name = o.Name
	isSame, err := m.isOnlyHere(from)
	if err != nil {
		return nil, err
	}
	if o.Name != from.Name || !isSame {
		identify(&s)
		forgetMACs(&s)
	}
	if o.Base == "" {
		o.Base = config.DefaultContentBase
	}
	if err := placeContent(&s, o.Base); err != nil {
		return nil, err
	}
	if s.Hardening.IDMap.Mapped() {
		s.Hardening.IDMap = config.IDMap{Auto: true}
	}
	// Private paths that root inside removes are made anew at the next start: not with what this host has, for just anybody.
	s.Copy = s.Copy && o.Trust
	renameUnits(&s, from)
	if err := ownImage(&s, from, config.DefaultImageBase); err != nil {
		return nil, err
	}
	level, err := alloc.LevelOf(&s)
	if o.Level != "" || o.Security != "" || err != nil || level.Count() == 0 && !o.Share {
		return &s, giveSecurity(&s, CreateOptions{Level: o.Level, Security: o.Security, Share: o.Share, FileType: s.Security.FileType})
	}
	s.Security.Level = level.String()
	return &s, nil
}

// isOnlyHere tells whether a sandbox of another host has an identity, and neither a sandbox nor the host itself has the same.
func (m *Manager) isOnlyHere(from *config.Sandbox) (bool, error) {
	if from.UUID == "" || from.MachineID == "" || from.Created.IsZero() {
		return false, nil
	}
	if m.Host.MachineID() == from.MachineID {
		return false, nil
	}
	names, err := m.Store.Names()
	if err != nil {
		return false, err
	}
	for _, name := range names {
		other, err := m.Store.Load(name)
		if err == nil && (other.UUID == from.UUID || other.MachineID == from.MachineID) {
			return false, nil
		}
	}
	return true, nil
}

// reachesBeyond lists the lines of a config that ask for what the sandbox does not keep inside, for a message: nobody else
// than an administrator of this host may do so. What is not known to be harmless is among them.
func reachesBeyond(s *config.Sandbox) []string {
	harmless := config.New(s.Name)
	harmless.UUID, harmless.MachineID, harmless.Created = s.UUID, s.MachineID, s.Created
	harmless.Units, harmless.Packages, harmless.Command, harmless.Identity = s.Units, s.Packages, s.Command, s.Identity
	harmless.BootTarget, harmless.Autostart, harmless.Restart = s.BootTarget, s.Autostart, s.Restart
	harmless.Content, harmless.Copy, harmless.Private, harmless.Environment = s.Content, s.Copy, s.Private, s.Environment
	harmless.Security.Level, harmless.Security.Mode = s.Security.Level, s.Security.Mode
	if s.Security.IsDefaultLabel() {
		harmless.Security.Label = s.Security.Label
	}
	harmless.Image, harmless.ImageFormat, harmless.ImageFS, harmless.ImageSize = s.Image, s.ImageFormat, s.ImageFS, s.ImageSize
	harmless.Hardening.IDMap = s.Hardening.IDMap
	harmless.Hardening.Capabilities.Drop = s.Hardening.Capabilities.Drop
	if s.Limits.PIDs > 0 {
		harmless.Limits = s.Limits
	}
	for _, mount := range s.Mounts {
		if mount.Kind.ShowsMemory() {
			harmless.Mounts = append(harmless.Mounts, mount)
		}
	}
	lines := s.LinesNotIn(harmless)
	for i, line := range lines {
		lines[i] = printable.Line(line)
	}
	return lines
}
