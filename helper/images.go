package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
)

// imagesDir has the note of which images a sandbox uses, and the mount points of those that it mounts. The note is written
// before anything is attached, so that whoever comes after an interruption finds all that there can be.
func imagesDir(name string) string { return filepath.Join(RuntimeBase, imagesPrefix+name) }

const (
	imagesPrefix = ".images-"
	claimsName   = "claims"
)

// claim is an image, or a disk's file or device, that a sandbox has for itself.
type claim struct {
	File    string             `json:"file"`
	Format  config.ImageFormat `json:"format"`
	Target  string             `json:"target,omitempty"`  // where it is mounted; empty for a disk
	Context string             `json:"context,omitempty"` // SELinux context to mount it with
	Content string             `json:"content,omitempty"` // what the config calls Target
	Use     string             `json:"use"`               // for a person
}

func (c claim) mount() image.Mount {
	return image.Mount{File: c.File, Format: c.Format, Target: c.Target, Context: c.Context}
}

// contentClaim is the claim of a sandbox's own image.
func (m *Manager) contentClaim(s *config.Sandbox, file string) (claim, error) {
	target, err := realPath(s.Content)
	return claim{File: file, Format: s.ImageFormat, Target: target, Context: m.imageContext(s), Content: s.Content, Use: "the image"}, err
}

// imageContext is the label of all that lies in the images of a sandbox: it is this sandbox's, whatever labels it has from
// elsewhere. One of mode dynamic has it as long as it is up.
func (m *Manager) imageContext(s *config.Sandbox) string {
	if !m.Host.SELinux() {
		return ""
	}
	return s.FileLabel()
}

// realPath is what the kernel calls a directory that need not be there yet.
func realPath(dir string) (string, error) {
	rest := ""
	for {
		actual, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(actual, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return "", fmt.Errorf("find mount point: %w", err)
		}
		dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
	}
}

// labelForStart gives a sandbox of mode dynamic the level of this start, and its images that label.
func (m *Manager) labelForStart(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	if s.Security.Mode != config.SecurityDynamic {
		return new(lockfile.Lock), nil
	}
	level, err := m.alloc().ChooseLevel(ctx, s)
	if err != nil {
		return nil, err
	}
	claims, err := m.allClaims(s)
	if err == nil {
		err = m.attachImages(ctx, s, claims)
	}
	if err != nil {
		level.Release()
		return nil, err
	}
	return level, nil
}

// allClaims lists what a sandbox claims while it runs.
func (m *Manager) allClaims(s *config.Sandbox) ([]claim, error) {
	var claims []claim
	if s.Image != "" {
		own, err := m.contentClaim(s, s.Image)
		if err != nil {
			return nil, err
		}
		claims = append(claims, own)
	}
	for i, mount := range s.Mounts {
		if mount.Kind.ShowsImage() {
			claims = append(claims, claim{
				File: mount.Source, Format: mount.Format, Target: hostImageDir(s.Name, i), Context: m.imageContext(s), Use: "the mount at " + mount.Target,
			})
		}
	}
	for _, d := range s.Disks {
		claims = append(claims, claim{File: d.Source, Format: d.Format, Use: "disk " + d.Tag})
	}
	return claims, nil
}

func hostImageDir(name string, index int) string {
	return filepath.Join(imagesDir(name), strconv.Itoa(index))
}

// attachImages claims images for a sandbox and mounts those that are to be mounted. What it has already stays as it is, unless
// it is to have another context.
func (m *Manager) attachImages(ctx context.Context, s *config.Sandbox, claims []claim) error {
	if len(claims) == 0 {
		return nil
	}
	if err := m.claimImages(ctx, s.Name, claims); err != nil {
		return err
	}
	run := m.nbdRunner(ctx, s)
	for _, c := range claims {
		var err error
		switch {
		case c.Target != "":
			err = namespace.InHostMounts(func() error { return c.mount().Attach(run) })
		case c.Format == config.FormatQCOW2:
			err = connectDisk(c, run)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func connectDisk(c claim, run image.Runner) error {
	device, err := image.NBDOf(c.File)
	if err == nil && device == "" {
		_, err = image.ConnectNBD(c.File, c.Format, run)
	}
	return err
}

// claimImages notes what a sandbox uses, after it has made sure that nobody else does.
func (m *Manager) claimImages(ctx context.Context, name string, claims []claim) error {
	lock, err := m.locks().Images(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	old, err := readClaims(name)
	if err != nil {
		return err
	}
	for _, c := range claims {
		has := slices.IndexFunc(old, func(o claim) bool { return o.File == c.File && o.Target == c.Target })
		if has >= 0 && old[has].Context == c.Context {
			continue
		}
		if has >= 0 {
			if err := m.unmount(name, old[has]); err != nil {
				return err
			}
			old = slices.Delete(old, has, has+1)
		}
		if err := checkClaim(name, c, append(old, claims...)); err != nil {
			return err
		}
		old = append(old, c)
	}
	return writeClaims(name, old)
}

// checkClaim refuses a file that another uses. ours are the claims of the same sandbox.
func checkClaim(name string, c claim, ours []claim) error {
	info, err := os.Stat(c.File)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", c.Use, name, err)
	}
	for _, o := range ours {
		if other, err := os.Stat(o.File); o.Use != c.Use && err == nil && sameBlocks(info, other) {
			return fmt.Errorf("%s of %s: %s is %s too; two of them would destroy each other's data", c.Use, name, c.File, o.Use)
		}
	}
	dirs, err := filepath.Glob(imagesDir("*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		other := strings.TrimPrefix(filepath.Base(dir), imagesPrefix)
		if other == name {
			continue
		}
		theirs, err := readClaims(other)
		if err != nil {
			return err
		}
		for _, t := range theirs {
			if used, err := os.Stat(t.File); t.File == c.File || (err == nil && sameBlocks(info, used)) {
				return fmt.Errorf("%s of %s: %s is in use by %s, as %s; stop that first", c.Use, name, c.File, other, t.Use)
			}
		}
	}
	var user string
	err = namespace.InHostMounts(func() (err error) {
		user, err = image.InUse(c.File, c.Target)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", c.Use, name, err)
	}
	if user != "" {
		return fmt.Errorf("%s of %s: %s is in use by %s", c.Use, name, c.File, user)
	}
	return nil
}

// sameBlocks tells whether two names are of one file, or two nodes of one block device.
func sameBlocks(a, b fs.FileInfo) bool {
	if a.Mode().Type() == os.ModeDevice && b.Mode().Type() == os.ModeDevice {
		return a.Sys().(*syscall.Stat_t).Rdev == b.Sys().(*syscall.Stat_t).Rdev
	}
	return os.SameFile(a, b)
}

func readClaims(name string) ([]claim, error) {
	data, err := os.ReadFile(filepath.Join(imagesDir(name), claimsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which images %s uses: %w", name, err)
	}
	var claims []claim
	if err := json.Unmarshal(data, &claims); err != nil {
		return nil, fmt.Errorf("read which images %s uses: %w", name, err)
	}
	return claims, nil
}

func writeClaims(name string, claims []claim) error {
	dir := imagesDir(name)
	data, err := json.Marshal(claims)
	if err != nil {
		return fmt.Errorf("note which images %s uses: %w", name, err)
	}
	if err := errors.Join(makeImagesDir(dir), os.Chmod(RuntimeBase, 0o711)); err != nil {
		return fmt.Errorf("note which images %s uses: %w", name, err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, claimsName), data, 0o600, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("note which images %s uses: %w", name, err)
	}
	return nil
}

// makeImagesDir makes a directory in RuntimeBase, which whoever leaves it empty removes, at any moment.
func makeImagesDir(dir string) error {
	for try := 0; ; try++ {
		err := os.MkdirAll(dir, 0o700)
		if !errors.Is(err, fs.ErrNotExist) || try == 100 {
			return err
		}
	}
}

// detachImages takes away what attachImages did, or began to do. What the host still has open stays usable for who has it.
func (m *Manager) detachImages(name string) error {
	if _, err := m.detachClaims(name); err != nil {
		return err
	}
	return forgetClaims(name)
}

// detachClaims is detachImages that keeps the note, which it returns.
func (m *Manager) detachClaims(name string) ([]claim, error) {
	claims, err := readClaims(name)
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Backward(claims) {
		if err := m.detach(name, c); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

// forgetClaims removes the note of which images a sandbox uses.
func forgetClaims(name string) error {
	dir := imagesDir(name)
	// Only these: nothing of what is mounted below must ever be removed with it.
	files, err := filepath.Glob(filepath.Join(dir, "."+claimsName+"*"))
	if err != nil {
		return err
	}
	for _, file := range append(files, filepath.Join(dir, claimsName), dir) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget which images %s used: %w", name, err)
		}
	}
	// Gone with the last container.
	_ = os.Remove(RuntimeBase)
	return nil
}

func (m *Manager) detach(name string, c claim) error {
	if c.Target == "" {
		if c.Format == config.FormatQCOW2 {
			return image.DisconnectNBD(c.File)
		}
		return image.FreeLoops(c.File)
	}
	if c.Content != "" {
		if err := m.Host.UnlinkJournals(c.Content); err != nil {
			return err
		}
	}
	return m.unmount(name, c)
}

func (m *Manager) unmount(name string, c claim) error {
	busy := false
	err := namespace.InHostMounts(func() (err error) {
		busy, err = c.mount().Detach()
		return err
	})
	if err != nil {
		return err
	}
	if busy {
		m.Warn("something on the host still has files of %s of %s open; it is unmounted, and gone when they are closed", c.Use, name)
	}
	return nil
}
