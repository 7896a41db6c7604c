// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"cmp"
	"encoding"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "write the keys of a new format of the plan")

func TestPlanWriteThenRead(t *testing.T) {
	cases := map[string]Plan{
		"units": {
			Name:       "web",
			UUID:       "01234567-89ab-4def-8123-456789abcdef",
			BootTarget: "multi-user.target",
		},
		"command": {
			Name: "job", UUID: "u", Command: []string{"/bin/sh", "-c", "echo \"<&>\"\n", "", "not UTF-8 \xff"},
			UID: 1000, GID: 4294967294, Groups: []uint32{4, 0}, Environment: []string{"A=b=c", "EMPTY=", "U=grüß\u2028",
				"X=\xff"}, Directory: "/",
		},
		"empty": {},
	}
	for name, plan := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sandbox.json")
			if err := plan.Write(file, 0); err != nil {
				t.Fatal(err)
			}
			got, err := ReadPlan(file)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, plan) {
				t.Errorf("got %+v, want %+v", *got, plan)
			}
		})
	}
}

// Nobody but root, of the host and inside, reads a plan, which has the environment.
func TestPlanIsForRoot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	if err := (&Plan{}).Write(file, 0); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("with the host's ids: %v, %v", info.Mode(), err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if err := (&Plan{}).Write(file, 100000); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode().Perm() != 0o640 || owner.Uid != 0 || owner.Gid != 100000 {
		t.Errorf("with ids of its own: %v of %d:%d", info.Mode(), owner.Uid, owner.Gid)
	}
}

func TestPlanErrors(t *testing.T) {
	dir := t.TempDir()
	if err := (&Plan{}).Write(filepath.Join(dir, "absent/sandbox.json"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Write into no directory: got %v, want ErrNotExist", err)
	}
	if _, err := ReadPlan(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadPlan of no file: got %v, want ErrNotExist", err)
	}
	file := filepath.Join(dir, "broken")
	for _, text := range []string{"", "{", `{"name": 1}`, `{"uid": -1}`, `{} {}`} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if plan, err := ReadPlan(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("ReadPlan of %q: got %+v, %v; want an error that names the file", text, plan, err)
		}
	}
}

// A plan that programs of another version wrote is refused, not taken for one of ours: neither one of another format
// nor one that asks for something unknown.
func TestPlanOfAnotherVersion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	ours := fmt.Sprintf(`{"format": %d, "name": "web"`, planFormat)
	for text, want := range map[string]string{
		`{"name": "web"}`: fmt.Sprintf("it has format 0, and this program knows %d", planFormat),
		fmt.Sprintf(`{"format": %d, "later": true}`, planFormat+1): fmt.Sprintf("it has format %d", planFormat+1),
		ours + `, "later": true}`:                                  "later",
		ours + `, "machine": {"later": true}}`:                     "later",
		ours + `}`:                                                 "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		plan, err := ReadPlan(file)
		switch {
		case want == "" && err != nil:
			t.Errorf("ReadPlan of %s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "replaced by another version")):
			t.Errorf("ReadPlan of %s: %+v, %v", text, plan, err)
		}
	}
}

// keysOf returns the keys of a type as JSON, those of the types in it behind theirs, with the kind of what each has.
func keysOf(typ reflect.Type, before string) []string {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return nil
	}
	var keys []string
	for i := range typ.NumField() {
		field := typ.Field(i)
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous:
			keys = append(keys, keysOf(field.Type, before)...)
		case field.IsExported():
			key = before + cmp.Or(key, field.Name)
			keys = append(keys, key+" "+field.Type.String())
			keys = append(keys, keysOf(field.Type, key+".")...)
		}
	}
	return keys
}

// The format of the plan is another one when its keys are: an older init would leave out what it does not know, and a
// later one would take for unsaid what is said otherwise.
func TestPlanFormatIsOfItsKeys(t *testing.T) {
	const golden = "testdata/plan.keys"
	keys := keysOf(reflect.TypeFor[planFile](), "")
	slices.Sort(keys)
	format := fmt.Sprintf("format %d\n", planFormat)
	got := format + strings.Join(slices.Compact(keys), "\n") + "\n"
	want, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	switch {
	case got == string(want):
	case strings.HasPrefix(string(want), format):
		t.Errorf("the keys of the plan are others than those of format %d in %s: raise planFormat, then run "+
			"\"go test ./internal/guest -update\":\n%s", planFormat, golden, got)
	case !*update:
		t.Errorf("%s is of another format; run \"go test ./internal/guest -update\"", golden)
	default:
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
