// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
)

func TestSetSecurity(t *testing.T) {
	const label = "system_u:system_r:httpd_container_t:s0:c1,c2"
	cases := []struct {
		name          string
		options       Options
		process, file string // labels
		fails         string
	}{
		{name: "level", options: Options{Level: "s0:c2,c1"},
			process: "system_u:system_r:virt_sandbox_t:s0:c1,c2", file: "system_u:object_r:container_file_t:s0:c1,c2"},
		{name: "label", options: Options{Security: labelled(config.SecurityStatic, label)},
			process: label, file: "system_u:object_r:container_file_t:s0:c1,c2"},
		{name: "file type", options: Options{Level: "s0:c7", FileType: "httpd_sys_content_t"},
			process: "system_u:system_r:virt_sandbox_t:s0:c7", file: "system_u:object_r:httpd_sys_content_t:s0:c7"},
		{name: "label and file type", options: Options{Security: labelled(config.SecurityStatic, label), FileType: "foo_t"},
			process: label, file: "system_u:object_r:foo_t:s0:c1,c2"},
		{name: "plain level that is allowed", options: Options{Level: "s0", Share: true},
			process: "system_u:system_r:virt_sandbox_t:s0", file: "system_u:object_r:container_file_t:s0"},

		{name: "plain level", options: Options{Level: "s0"},
			fails: "Level s0: every sandbox can reach a level without categories; add some, as in s0:c1,c2, or allow that " +
				"with Share"},
		{name: "plain label", options: Options{Security: labelled(config.SecurityStatic, "u:r:t:s0")},
			fails: "Security static,label=u:r:t:s0: every sandbox can reach a level without categories; add some, as in " +
				"s0:c1,c2, or allow that with Share"},
		{name: "level and label", options: Options{Level: "s0:c1", Security: labelled(config.SecurityStatic, label)},
			fails: "Level and Security exclude each other; put the level into the label of Security"},
		{name: "no level", options: Options{Level: "s0:c1024"}, fails: "Level s0:c1024: category c1024 is above c1023"},
		{name: "dynamic", options: Options{Security: config.Security{Mode: config.SecurityDynamic}},
			fails: "Security dynamic: the files of a directory carry their level, so that it has to be fixed; keep the " +
				"content in an image (Image.Size), or use static"},
		{name: "dynamic with label", options: Options{Security: labelled(config.SecurityDynamic, label)},
			fails: "Security dynamic,label=" + label + ": the files of a directory carry their level, so that it has to be " +
				"fixed; keep the content in an image (Image.Size), or use static"},
		{name: "inherit", options: Options{Security: config.Security{Mode: config.SecurityInherit}},
			fails: "Security inherit: only a command in a one-shot sandbox has a caller whose label it can have; use static"},
		{name: "file type of no form", options: Options{FileType: "a b"}, fails: `FileType: "a b" is not an SELinux type`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := config.New("box")
			err := setSecurity(s, c.options)
			if c.fails != "" {
				if err == nil || err.Error() != c.fails {
					t.Errorf("got  %v\nwant %s", err, c.fails)
				}
				return
			}
			if err != nil || s.ProcessLabel() != c.process || s.FileLabel() != c.file {
				t.Errorf("got %s and %s, %v; want %s and %s", s.ProcessLabel(), s.FileLabel(), err, c.process, c.file)
			}
		})
	}
}

func TestRefuseShared(t *testing.T) {
	use := alloc.Use{By: "sandbox web1"}
	var err error
	if use.Level, err = alloc.LevelOf(&config.Sandbox{Security: config.Security{Level: "s0:c1"}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{Level: "s0:c1"}, "Level s0:c1 is not kept apart from s0:c1, which sandbox web1 has; choose another level, " +
			"or allow that with Share"},
		{Options{Security: labelled(config.SecurityStatic, "u:r:t:s0:c1")}, "Security static,label=u:r:t:s0:c1 is not kept " +
			"apart from s0:c1, which sandbox web1 has; choose another level, or allow that with Share"},
	} {
		if err := c.options.RefuseShared(use); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		c.options.Share = true
		if err := c.options.RefuseShared(use); err != nil {
			t.Errorf("with --share-level: %v", err)
		}
	}
}

// labelled is a label that somebody chose.
func labelled(mode config.SecurityMode, label string) config.Security {
	context, err := config.ParseLabel(label)
	if err != nil {
		panic(err)
	}
	s := config.Security{Mode: mode}
	s.SetLabel(context)
	return s
}

func TestSecurityText(t *testing.T) {
	for want, s := range map[string]config.Security{
		"dynamic":                   {Mode: config.SecurityDynamic},
		"dynamic,label=u:r:t:s0:c3": labelled(config.SecurityDynamic, "u:r:t:s0:c3"),
		"static,label=u:r:t:s0:c3":  labelled(config.SecurityStatic, "u:r:t:s0:c3"),
		"inherit":                   {Mode: config.SecurityInherit},
		"apparmor,profile=web":      {Mode: config.SecurityStatic, AppArmor: "web"},
	} {
		if got := securityText(s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
