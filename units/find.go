package units

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FindShort gives the names of the short files that create made for a sandbox, whatever its first unit was. listing is
// what lies in dir.
func FindShort(dir string, listing []string, name, configFile string) []string {
	var found []string
	for _, unit := range listing {
		if !strings.HasSuffix(unit, "@"+name+".service") {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(dir, unit)); err == nil && IsShort(text, configFile) {
			found = append(found, unit)
		}
	}
	return found
}

// Remove removes a unit of the administrator's directory as systemctl disable and a removal by hand would: the links that
// enable it, its drop-ins and its file. What is not there is no error.
func Remove(dir, unit string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".wants") && !strings.HasSuffix(e.Name(), ".requires") {
			continue
		}
		link := filepath.Join(dir, e.Name(), unit)
		if _, err := os.Readlink(link); err != nil {
			continue
		}
		if err := os.Remove(link); err != nil {
			return err
		}
		// systemctl leaves no empty directory either.
		_ = os.Remove(filepath.Join(dir, e.Name()))
	}
	if err := os.RemoveAll(filepath.Join(dir, unit+".d")); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, unit)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
