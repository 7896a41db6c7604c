// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestPlanOfPackages: what the packages of d.service own becomes private. Each path is followed by its origin.
func TestPlanOfPackages(t *testing.T) {
	cases := []struct {
		name     string
		packages []*pkgdb.Package
		extra    []string
		want     []string
	}{
		{"directories and files below /etc and /var",
			[]*pkgdb.Package{hosttest.Package("d", "", unitFile, "/etc/d/", "/etc/d/d.conf", "/etc/d.conf", "/var/lib/d/",
				"/usr/share/d/", "/opt/d/")}, nil,
			[]string{"/etc/d.conf package:d", "/etc/d package:d", "/var/lib/d package:d"}},
		{"only its own files of a directory of all",
			[]*pkgdb.Package{
				hosttest.Package("d", "", unitFile, "/etc/", "/etc/default/", "/etc/default/d"),
				hosttest.Package("others", "", "/etc/default/", "/etc/default/a", "/etc/default/b"),
			}, nil,
			[]string{"/etc/default/d package:d"}},
		{"its directory though others put something in",
			[]*pkgdb.Package{
				hosttest.Package("d", "", unitFile, "/etc/d/", "/etc/d/d.conf", "/etc/d/modules/"),
				hosttest.Package("module", "", "/etc/d/modules/", "/etc/d/modules/m.conf"),
			}, nil,
			[]string{"/etc/d package:d"}},
		{"a half is not most",
			[]*pkgdb.Package{hosttest.Package("d", "", unitFile, "/etc/x/", "/etc/x/d.conf"), hosttest.Package("e", "",
				"/etc/x/", "/etc/x/e.conf")}, nil,
			[]string{"/etc/x/d.conf package:d"}},
		{"packages of one source count together",
			[]*pkgdb.Package{
				hosttest.Package("d", "src", unitFile, "/etc/x/", "/etc/x/d.conf"),
				hosttest.Package("d-modules", "src", "/etc/x/", "/etc/x/m1", "/etc/x/m2", "/etc/x/m3"),
				hosttest.Package("stranger", "other", "/etc/x/", "/etc/x/s1"),
			}, nil,
			[]string{"/etc/x package:d"}},
		{"the base package of a source",
			[]*pkgdb.Package{
				hosttest.Package("d-server", "d", unitFile, "/var/lib/d/"), hosttest.Package("d", "", "/etc/d/", "/etc/d/d.conf"),
				hosttest.Package("d-doc", "d", "/etc/d-doc/"),
			}, nil,
			[]string{"/etc/d package:d", "/var/lib/d package:d-server"}},
		{"what it cannot be without of its source",
			[]*pkgdb.Package{
				depending(hosttest.Package("d-daemon", "d", unitFile), "d-config", "lib", "d(x)", "absent"),
				depending(hosttest.Package("d-config", "d", "/etc/d/"), "d-files", "d-daemon", "/etc/d.cnf", "/etc/lib/x",
					"/etc/none"),
				hosttest.Package("d-cnf", "d", "/etc/d.cnf"),
				hosttest.Package("d-files", "d", "/var/lib/d/"), hosttest.Package("d-client", "d", "/etc/d-client/"),
				hosttest.Package("lib", "", "/etc/lib/", "/etc/lib/x"),
			}, nil,
			[]string{"/etc/d.cnf package:d-cnf", "/etc/d package:d-config", "/var/lib/d package:d-files"}},
		{"a source that has no package of its name",
			[]*pkgdb.Package{hosttest.Package("d-server", "d", unitFile, "/var/lib/d/")}, nil,
			[]string{"/var/lib/d package:d-server"}},
		{"packages named",
			[]*pkgdb.Package{hosttest.Package("d", "", unitFile, "/etc/d/"), hosttest.Package("module", "module-src",
				"/etc/module/"), hosttest.Package("module-src", "", "/etc/base/")},
			[]string{"module"},
			[]string{"/etc/base package:module-src", "/etc/d package:d", "/etc/module package:module"}},
		{"a package named twice",
			[]*pkgdb.Package{hosttest.Package("d", "", unitFile, "/etc/d/")}, []string{"d"},
			[]string{"/etc/d package:d"}},
		{"nobody owns the unit, but packages are named",
			[]*pkgdb.Package{hosttest.Package("app", "", "/etc/app/")}, []string{"app"},
			[]string{"/etc/app package:app"}},
		{"the unit's file as /lib spells it",
			[]*pkgdb.Package{hosttest.Package("d", "", "/lib/systemd/system/d.service", "/etc/d/")}, nil,
			[]string{"/etc/d package:d"}},
		{"what is the host's business",
			[]*pkgdb.Package{hosttest.Package(
				"d",
				"",
				unitFile,
				"/etc/d/",
				"/etc/logrotate.d/d",
				"/etc/pam.d/d",
				"/etc/init.d/d",
				"/etc/rc.d/init.d/d",
				"/etc/systemd/system/d.service.d/x.conf",
				"/etc/systemd/d.conf",
				"/var/run/d/",
				"/var/lock/d/",
				"/var/log/journal/",
				"/etc/machine-id",
				"/etc/hostname",
				"/etc/hosts",
				"/etc/fstab",
				"/etc/shadow",
				"/etc/gshadow",
				"/var/",
				"/etc/",
			)}, nil,
			[]string{"/etc/d package:d"}},
		{"paths that no config can hold",
			[]*pkgdb.Package{hosttest.Package("d", "", unitFile, "/etc/d/", "/etc/new\nline", "/etc/bell\a",
				"/etc/not-utf8\xff"),
				{
					Name:  "d2",
					Files: []pkgdb.File{{Path: "/etc/x/../shadow"}, {Path: "/etc//y"}, {Path: "/etc/z/."}},
				}}, []string{"d2"},
			[]string{"/etc/d package:d"}},
		{"blanks are no obstacle",
			[]*pkgdb.Package{hosttest.Package("d", "", unitFile, "/etc/d d.conf")}, nil,
			[]string{"/etc/d d.conf package:d"}},
		{"names that begin alike are not below each other",
			[]*pkgdb.Package{
				hosttest.Package("d", "", unitFile, "/etc/d/", "/etc/d/a", "/etc/d-x", "/etc/d.conf", "/etc/d0"),
			}, nil,
			[]string{"/etc/d-x package:d", "/etc/d.conf package:d", "/etc/d package:d", "/etc/d0 package:d"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, map[string]string{unitFile: bareUnit}, c.packages...)
			checkPlan(t, h, c.extra, c.want)
		})
	}
}

func depending(p *pkgdb.Package, names ...string) *pkgdb.Package {
	p.Depends = names
	return p
}

func TestPlanTrustsTheHostAboutTypes(t *testing.T) {
	d := hosttest.Package("d", "", unitFile, "/etc/shared", "/etc/shared/d", "/etc/link/")
	other := hosttest.Package("other", "", "/etc/shared", "/etc/shared/a", "/etc/shared/b")
	h := newHost(t, map[string]string{unitFile: bareUnit, "/etc/shared/d": "", "/etc/link": "-> shared"}, d, other)
	checkPlan(t, h, nil, []string{"/etc/link package:d", "/etc/shared/d package:d"})
}

func TestPlanErrors(t *testing.T) {
	h := newHost(t, map[string]string{unitFile: bareUnit}, hosttest.Package("other", "", "/etc/other"))
	_, err := h.Plan(context.Background(), []*unitfile.Unit{h.unit()}, nil)
	if !errors.Is(err, ErrNoOwner) || !strings.Contains(err.Error(), "d.service ("+unitFile+")") ||
		!strings.Contains(err.Error(), "Packages") {
		t.Errorf("nobody owns it: got %v, want ErrNoOwner with the file and what to do", err)
	}
	_, err = h.Plan(context.Background(), []*unitfile.Unit{h.unit()}, []string{"other", "absent"})
	if !errors.Is(err, pkgdb.ErrNoPackage) || !strings.Contains(err.Error(), "absent") {
		t.Errorf("package that is not there: got %v, want pkgdb.ErrNoPackage with its name", err)
	}
}

// TestPlanAsksEveryDatabase: a host can have two package formats.
func TestPlanAsksEveryDatabase(t *testing.T) {
	h := newHost(t, map[string]string{unitFile: bareUnit}, hosttest.Package("rpm", "", "/etc/rpm/"))
	h.Packages = append(h.Packages, hosttest.Packages{hosttest.Package("deb", "", unitFile, "/etc/deb/")})
	checkPlan(t, h, []string{"rpm"}, []string{"/etc/deb package:deb", "/etc/rpm package:rpm"})

	h.Packages = append(
		h.Packages,
		hosttest.Packages{
			hosttest.Package("other", "", unitFile, "/etc/other/"),
			hosttest.Package("rpm", "", "/etc/namesake/"),
		},
	)
	checkPlan(t, h, []string{"rpm"}, []string{"/etc/deb package:deb", "/etc/other package:other", "/etc/rpm package:rpm"})
}

// TestPlanOfDirectives: the directives of d.service name what is private; beside them its package owns nothing.
func TestPlanOfDirectives(t *testing.T) {
	cases := []struct {
		name, lines string
		want        []string
	}{
		{"directories", "StateDirectory=d d/sub\nLogsDirectory=d\nCacheDirectory=d:link\nConfigurationDirectory=d\n" +
			"RuntimeDirectory=d",
			[]string{
				"/etc/d unit:d.service/ConfigurationDirectory", "/var/cache/d unit:d.service/CacheDirectory",
				"/var/lib/d unit:d.service/StateDirectory", "/var/log/d unit:d.service/LogsDirectory",
			}},
		{"directories of a dynamic user", "DynamicUser=yes\nStateDirectory=d\nConfigurationDirectory=d",
			[]string{
				"/etc/d unit:d.service/ConfigurationDirectory", "/var/lib/d unit:d.service/StateDirectory",
				"/var/lib/private/d unit:d.service/StateDirectory",
			}},
		{"directories that would be all", "StateDirectory=. ./ a/.. \nDynamicUser=yes\nLogsDirectory=d/../..", nil},
		{"directories that are a way out", "StateDirectory=../../etc/shadow /etc x/../../../root\nDynamicUser=yes", nil},
		{"paths", "WorkingDirectory=-/srv/d\nEnvironmentFile=-/etc/default/d\nReadWritePaths=+/opt/d -/data/d\n" +
			"PIDFile=/var/d/pid",
			[]string{
				"/data/d unit:d.service/ReadWritePaths", "/etc/default/d unit:d.service/EnvironmentFile",
				"/opt/d unit:d.service/ReadWritePaths", "/srv/d unit:d.service/WorkingDirectory", "/var/d/pid " +
					"unit:d.service/PIDFile",
			}},
		{"paths that are not content",
			"WorkingDirectory=~\nEnvironmentFile=/run/d/env /usr/lib/d/env\nPIDFile=/run/d.pid /var/run/d.pid /etc/d.pid\n" +
				"ReadWritePaths=/run/d /tmp/d /dev/shm /proc/sys /sys/fs /usr/d /home/d /root/d /etc/systemd/system /var /data " +
				"/\n" +
				"WorkingDirectory=/opt/d\nReadOnlyPaths=/var/lib/x", nil},
		{"paths with wildcards", "EnvironmentFile=/etc/default/d-*\nReadWritePaths=/srv/[ab]/c /srv/a?c/d", nil},
		{"a path that is not clean", "ReadWritePaths=/var/lib/d/../e//f/", []string{"/var/lib/e/f " +
			"unit:d.service/ReadWritePaths"}},
		{"a path that leads out", "ReadWritePaths=/var/../usr/d", nil},
		{"specifiers", "StateDirectory=%p\nReadWritePaths=%L/%n",
			[]string{"/var/lib/d unit:d.service/StateDirectory", "/var/log/d.service unit:d.service/ReadWritePaths"}},
		{"the first directive that names it", "WorkingDirectory=/var/lib/d\nStateDirectory=d\nReadWritePaths=/var/lib/d",
			[]string{"/var/lib/d unit:d.service/StateDirectory"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, map[string]string{unitFile: "[Service]\n" + c.lines + "\n"}, hosttest.Package("d", "", unitFile))
			for range 10 { // the order must not be a map's
				checkPlan(t, h, nil, c.want)
			}
		})
	}
}

// checkPlan plans for d.service. Whatever is planned must be something that a config can hold.
func checkPlan(t *testing.T, h fakeHost, extra, want []string) {
	t.Helper()
	plan, err := h.Plan(context.Background(), []*unitfile.Unit{h.unit()}, extra)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	private := plan.Private
	for _, p := range private {
		got = append(got, p.Path+" "+p.Origin)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	s := config.New("box")
	s.Units, s.Private = []string{"d.service"}, private
	again, err := config.Parse("box.sandbox", s.Text())
	if err != nil {
		t.Fatalf("no config can hold %q: %v", private, err)
	}
	if !reflect.DeepEqual(again.Private, private) {
		t.Errorf("a config reads it back as %q", again.Private)
	}
}

// interrupted is a package database whose package manager has not ended what it began.
type interrupted struct{ pkgdb.Database }

func (interrupted) Package(context.Context, string) (*pkgdb.Package, error) {
	return nil, &pkgdb.UnfinishedError{Name: "d", State: "unpacked", Mend: "mend d"}
}

// TestUnfinishedPackage: nothing is planned of a package that is not installed whole, and a container that is there
// already starts.
func TestUnfinishedPackage(t *testing.T) {
	h := newHost(t, map[string]string{unitFile: bareUnit}, hosttest.Package("d", "", unitFile))
	h.Packages[0] = interrupted{h.Packages[0]}
	units := []*unitfile.Unit{h.unit()}
	if _, err := h.Plan(t.Context(), units, nil); err == nil || !strings.Contains(err.Error(), `run "mend d" first`) {
		t.Errorf("got %v, want what to do", err)
	}
	if found, err := h.Generators(t.Context(), units, nil); err != nil || len(found) > 0 {
		t.Errorf("generators %q, %v", found, err)
	}
}
