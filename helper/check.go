package helper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
)

// Check tells what of a sandbox, which may be up, is not as it should be: its config, the unit file, images, content and
// labels, and what interrupted verbs have left. With fix it sets labels right, and nothing else. Errors: config.ErrNotFound.
func (m *Manager) Check(ctx context.Context, name string, fix bool) ([]contentcheck.Finding, error) {
	s, findings, err := m.checkOutside(ctx, name)
	if err == nil && s != nil {
		var inside []contentcheck.Finding
		inside, err = m.checkInside(ctx, s, fix)
		findings = append(findings, inside...)
	}
	for i := range findings {
		findings[i].Sandbox = name
	}
	return findings, err
}

// checkOutside checks all but the content, while no other verb works on the sandbox. It returns the description where there
// may be content to check.
func (m *Manager) checkOutside(ctx context.Context, name string) (*config.Sandbox, []contentcheck.Finding, error) {
	if err := config.CheckName(name); err != nil {
		return nil, nil, err
	}
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer lock.Release()
	s, err := m.Store.Load(name)
	if errors.Is(err, config.ErrNotFound) {
		findings, leftErr := m.provisioner().Leftovers(name, nil)
		if len(findings) > 0 || leftErr != nil {
			err = leftErr
		}
		return nil, findings, err
	}
	if err != nil {
		return nil, []contentcheck.Finding{{Path: m.Store.Path(name), Problem: contentcheck.ProblemConfig, Detail: reasonOf(err)}}, nil
	}
	findings, err := m.provisioner().Leftovers(name, s)
	if err != nil || s.State == config.StateDeleting {
		return nil, findings, err
	}
	files, err := m.checkUnitFiles(s)
	if err != nil {
		return nil, findings, err
	}
	images, usable := checkImages(s)
	findings = append(append(findings, files...), images...)
	if !usable {
		return nil, findings, nil
	}
	return s, findings, nil
}

// reasonOf is why a config cannot be used, without its name where it says the line.
func reasonOf(err error) string {
	var syntax *config.SyntaxError
	switch {
	case !errors.As(err, &syntax):
		return printable.Line(err.Error())
	case syntax.Line > 0:
		return printable.Line(fmt.Sprintf("line %d: %s", syntax.Line, syntax.Message))
	}
	return printable.Line(syntax.Message)
}

// checkUnitFiles compares the files of units on the host with what the config names. One that was never started need have none:
// the generator makes a full unit for it.
func (m *Manager) checkUnitFiles(s *config.Sandbox) ([]contentcheck.Finding, error) {
	var findings []contentcheck.Finding
	found := func(path, detail string) {
		findings = append(findings, contentcheck.Finding{Path: path, Problem: contentcheck.ProblemUnit, Detail: detail})
	}
	remedy := fmt.Sprintf("virt-sandbox-service enable or disable %s sets that right", s.Name)
	stubs := m.stubs()
	state, err := stubs.Inspect(s)
	if err != nil {
		return nil, err
	}
	switch {
	case state == unitstub.Missing && !s.Created.IsZero():
		found(stubs.Path(s), "the unit file is missing; "+remedy)
	case state == unitstub.Foreign:
		found(stubs.Path(s), fmt.Sprintf("is not a unit of %s; move it away", m.Store.Path(s.Name)))
	}
	strays, err := stubs.Strays(s)
	if err != nil {
		return nil, err
	}
	for _, path := range strays {
		found(path, fmt.Sprintf("the unit is %s by the config; %s", s.HostUnit(), remedy))
	}
	return findings, nil
}

// checkImages looks at the files of images and disks, and tells whether the content can be looked into. What a file has inside
// is not looked at: that may be a container's.
func checkImages(s *config.Sandbox) (findings []contentcheck.Finding, usable bool) {
	usable = true
	for _, f := range s.ImageFiles() {
		isOwn := f.Path == s.Image
		detail := ""
		info, err := os.Stat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && isOwn && (s.Created.IsZero() || isThere(image.Temporary(f.Path))):
			// The next start makes it, or gives it its name.
			usable = false
			continue
		case errors.Is(err, fs.ErrNotExist):
			detail = f.Use + " is gone; is its file system mounted?"
		case err != nil:
			detail = f.Use + " cannot be looked at: " + err.Error()
		case isOwn && !info.Mode().IsRegular():
			detail = f.Use + " is not a regular file"
		case isOwn && f.Format == config.FormatRaw && s.ImageSize > 0 && info.Size() < int64(s.ImageSize):
			detail = fmt.Sprintf("%s has %d bytes, and image-size= is %s", f.Use, info.Size(), s.ImageSize)
		default:
			continue
		}
		findings = append(findings, contentcheck.Finding{Path: f.Path, Problem: contentcheck.ProblemImage, Detail: detail})
		usable = usable && !isOwn
	}
	return findings, usable
}

func isThere(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// checkInside checks the content.
func (m *Manager) checkInside(ctx context.Context, s *config.Sandbox, fix bool) ([]contentcheck.Finding, error) {
	release, err := m.images().Hold(ctx, s)
	if err != nil {
		return nil, err
	}
	defer release()
	if found, err := m.provisioner().HasContent(s); err != nil {
		return []contentcheck.Finding{{Path: s.Content, Problem: contentcheck.ProblemContent, Detail: printable.Line(err.Error())}}, nil
	} else if !found {
		return nil, nil
	}
	if state, err := content.Inspect(s.Content); err != nil || state == content.Creating {
		return []contentcheck.Finding{{Path: s.Content, Problem: contentcheck.ProblemLeftover, Detail: provision.InterruptedMaking + provision.RemedyOf(s.Name, s)}}, err
	}
	findings, err := contentcheck.Manifest(ctx, m.Host, s)
	if err != nil {
		return nil, err
	}
	if err := provision.CheckMode(m.Store, s); err != nil {
		return findings, err
	}
	switch {
	case !m.Host.SELinux() && fix:
		m.Warn("SELinux is off on this host: there are no labels to set")
	case !m.Host.SELinux():
	case s.Security.Mode == config.SecurityDynamic && fix:
		m.Warn("%s has the label of all its content chosen at each start: there are no labels to set", s.Name)
	case s.Security.Mode == config.SecurityDynamic:
	default:
		labels, err := contentcheck.Labels(ctx, m.Host, s, fix)
		return append(findings, labels...), err
	}
	return findings, nil
}

// warnOfLabels tells of content that the container will not be able to use.
func (m *Manager) warnOfLabels(s *config.Sandbox) {
	finding, err := contentcheck.TopLabels(m.Host, s)
	if err != nil {
		m.Warn("%v", err)
	}
	if finding != nil {
		m.Warn("%v; virt-sandbox-service check %s lists all such files, and with --fix gives them their label", finding, s.Name)
	}
	sources, err := contentcheck.Sources(m.Host, s)
	if err != nil {
		m.Warn("%v", err)
	}
	for _, f := range sources {
		wanted, err := secontext.Parse(f.Wanted)
		if err != nil {
			m.Warn("%v: %s cannot write there", f, s.Name)
			continue
		}
		m.Warn("%v: %s cannot write there; chcon -R -t %s -l %s gives it the label", f, s.Name, wanted.Type, wanted.Level)
	}
}
