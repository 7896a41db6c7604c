package rpmdeps

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestReadFileSaysWhatTheDatabaseSays(t *testing.T) {
	rpms := buildRPMs(t, webSpec)
	dir := t.TempDir()
	install(t, dir, rpms...)
	db := open(t, dir)
	for _, file := range rpms {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got, err := ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := db.Package(context.Background(), got.Name)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v, want\n%+v", got, want)
			}
		})
	}
}

func TestReadFileErrors(t *testing.T) {
	rpm := readAll(t, buildRPMs(t, ftpSpec)[0])
	tests := []struct {
		name string
		data []byte
	}{
		{"empty", nil},
		{"text", bytes.Repeat([]byte("text"), 100)},
		{"only a lead", rpm[:leadSize]},
		{"a signature without its beginning", overwrite(rpm, leadSize)},
		{"a signature without an end", rpm[:leadSize+40]},
		{"a signature of gigabytes", append(bytes.Clone(rpm[:leadSize+8]), bytes.Repeat([]byte{0xff}, 64)...)},
		{"half", rpm[:len(rpm)/2]},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "package.rpm")
			writeFile(t, file, string(test.data))
			pkg, err := ReadFile(file)
			if err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, %v, want an error that names %s", pkg, err, file)
			}
		})
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "missing.rpm")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: got %v, want fs.ErrNotExist", err)
	}
}

// TestReadFileNeedsNoContent cuts the package at each place: it is read from where its header ends on and not before.
func TestReadFileNeedsNoContent(t *testing.T) {
	rpm := readAll(t, buildRPMs(t, ftpSpec)[0])
	readable := func(n int) bool {
		_, err := readPackage(bufio.NewReader(bytes.NewReader(rpm[:n])))
		return err == nil
	}
	end := 0
	for !readable(end) {
		if end++; end > len(rpm) {
			t.Fatal("the whole package is not readable")
		}
	}
	if end == len(rpm) {
		t.Error("the package is read to its end")
	}
	for n := end; n <= len(rpm); n++ {
		if !readable(n) {
			t.Fatalf("readable with %d bytes and not with %d", end, n)
		}
	}
}
