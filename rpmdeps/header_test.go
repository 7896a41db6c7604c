// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"encoding/binary"
	"io/fs"
	"strings"
	"testing"
)

func TestSourceName(t *testing.T) {
	tests := []struct{ file, want string }{
		{"httpd-2.4.62-1.fc41.src.rpm", "httpd"},
		{"java-17-openjdk-17.0.9.0.9-3.fc39.src.rpm", "java-17-openjdk"},
		{"steam-1.0.0.79-2.nosrc.rpm", "steam"},
		{"a-1-2.src.rpm", "a"},
		{"(none)", ""},
		{"", ""},
	}
	for _, test := range tests {
		if got := sourceName(test.file); got != test.want {
			t.Errorf("%q: got %q, want %q", test.file, got, test.want)
		}
	}
}

func TestDigestName(t *testing.T) {
	for algorithm, want := range map[int64]string{0: "md5", 1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512"} {
		if got := digestName(algorithm); got != want {
			t.Errorf("%d: got %s, want %s", algorithm, got, want)
		}
	}
}

func TestUnixMode(t *testing.T) {
	tests := map[uint16]fs.FileMode{
		0o100644: 0o644,
		0o104755: fs.ModeSetuid | 0o755,
		0o102755: fs.ModeSetgid | 0o755,
		0o041777: fs.ModeDir | fs.ModeSticky | 0o777,
		0o120777: fs.ModeSymlink | 0o777,
		0o060660: fs.ModeDevice | 0o660,
		0o020620: fs.ModeDevice | fs.ModeCharDevice | 0o620,
		0o010600: fs.ModeNamedPipe | 0o600,
		0o140600: fs.ModeSocket | 0o600,
	}
	for mode, want := range tests {
		if got := unixMode(mode); got != want {
			t.Errorf("%o: got %v, want %v", mode, got, want)
		}
	}
}

// value is one entry of a header that a test makes by hand.
type value struct {
	tag, kind, count uint32
	data             string
}

func headerOf(values ...value) []byte {
	var index []byte
	var data strings.Builder
	for _, v := range values {
		for data.Len()%4 != 0 {
			data.WriteByte(0)
		}
		for _, n := range []uint32{v.tag, v.kind, uint32(data.Len()), v.count} {
			index = binary.BigEndian.AppendUint32(index, n)
		}
		data.WriteString(v.data)
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(len(values)))
	header = binary.BigEndian.AppendUint32(header, uint32(data.Len()))
	return append(append(header, index...), data.String()...)
}

func named(name string) value { return value{1000, typeString, 1, name + "\x00"} }

func TestDecodeBlob(t *testing.T) {
	name, file := named("p"), value{tagBaseNames, typeStringArray, 1, "f\x00"}
	dir, dirOf := value{tagDirNames, typeStringArray, 1, "/d/\x00"}, value{tagDirIndexes, typeInt32, 1, "\x00\x00\x00\x00"}
	mode := value{tagFileModes, typeInt16, 1, "\x81\xa4"}
	tests := []struct {
		name   string
		values []value
		want   string // of the error; none for a good header
	}{
		{"a file without what may be left out", []value{name, file, dir, dirOf, mode}, ""},
		{"a tag of an unknown type that is not needed", []value{name, {1999, 99, 1 << 30, ""}}, ""},
		{"the later of two entries", []value{{1000, typeString, 1 << 30, ""}, name}, ""},
		{"no name", []value{file, dir, dirOf, mode}, "names no package"},
		{"a name of another type", []value{{1000, typeInt32, 1, "\x00\x00\x00\x01"}}, "names no package"},
		{"more numbers than memory", []value{name, {tagFileModes, typeInt16, 1<<32 - 1, "\x00\x00"}}, "damaged tag 1030"},
		{"a number cut off", []value{name, {tagDirIndexes, typeInt32, 1, "\x00\x00"}}, "damaged tag 1116"},
		{"more strings than there are", []value{name, {tagBaseNames, typeStringArray, 2, "f\x00"}}, "damaged tag 1117"},
		{"a string without an end", []value{name, {tagBaseNames, typeStringArray, 1, "f"}}, "damaged tag 1117"},
		{"an unknown type", []value{name, {tagBaseNames, 7, 1, "f\x00"}}, "of the type 7"},
		{"no values", []value{name, {tagBaseNames, typeStringArray, 0, "f\x00"}}, "value count"},
		{"a file without a directory", []value{name, file, dir, mode}, "1 files and 0 directories"},
		{"a directory that is not there", []value{name, file, dir, {tagDirIndexes, typeInt32, 1, "\x00\x00\x00\x01"}, mode},
			"no directory 1"},
		{"a negative directory", []value{name, file, dir, {tagDirIndexes, typeInt32, 1, "\xff\xff\xff\xff"}, mode},
			"no directory"},
		{"a file without a mode", []value{name, file, dir, dirOf}, "1 files and 0 modes"},
		{"more users than files", []value{name, file, dir, dirOf, mode, {tagFileUsers, typeStringArray, 2, "a\x00b\x00"}},
			"1 files and 2 users"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pkg, err := decodeBlob(headerOf(test.values...))
			switch {
			case test.want == "" && (err != nil || pkg.Name != "p"):
				t.Errorf("got %+v, %v", pkg, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %+v, %v, want an error of %q", pkg, err, test.want)
			}
		})
	}
}

// TestManyFilesOfOneLongDirectory is a header of 1 MB whose paths together would need 16 GB.
func TestManyFilesOfOneLongDirectory(t *testing.T) {
	const files = 1 << 17
	blob := headerOf(named("p"),
		value{tagBaseNames, typeStringArray, files, strings.Repeat("\x00", files)},
		value{tagDirNames, typeStringArray, 1, strings.Repeat("d", 1<<17) + "\x00"},
		value{tagDirIndexes, typeInt32, files, strings.Repeat("\x00\x00\x00\x00", files)},
		value{tagFileModes, typeInt16, files, strings.Repeat("\x81\xa4", files)},
	)
	if _, err := decodeBlob(blob); err == nil || !strings.Contains(err.Error(), "bytes of paths") {
		t.Errorf("got %v, want an error of the length of the paths", err)
	}
}

// FuzzDecodeBlob looks for headers that end the program, take its memory, or come out as no package.
func FuzzDecodeBlob(f *testing.F) {
	for _, r := range records(f, hostDatabase(f)) {
		f.Add(r.blob)
	}
	f.Add(headerOf(named("p"), value{tagFileModes, typeInt16, 1<<32 - 1, ""}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, blob []byte) {
		pkg, err := decodeBlob(blob)
		if (pkg == nil) == (err == nil) {
			t.Fatalf("got %v and %v", pkg, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), panicked) {
				t.Errorf("the library was given a header that it can't stand: %v", err)
			}
			return
		}
		if pkg.Name == "" || len(pkg.Files) > len(blob) {
			t.Errorf("got a package %q of %d files out of %d bytes", pkg.Name, len(pkg.Files), len(blob))
		}
	})
}
