package config

import "testing"

func TestHostUnit(t *testing.T) {
	cases := []struct {
		sandbox Sandbox
		want    string
	}{
		{Sandbox{Name: "web1", Units: []string{"httpd.service"}}, "httpd@web1.service"},
		{Sandbox{Name: "web1", Units: []string{"httpd.service", "php-fpm.service"}}, "httpd@web1.service"},
		{Sandbox{Name: "a.b-c", Units: []string{"dbus-org.bluez.service"}}, "dbus-org.bluez@a.b-c.service"},
		{Sandbox{Name: "s", Units: []string{"sshd.socket"}}, "sshd@s.service"},
		{Sandbox{Name: "t", Units: []string{"getty@tty1.service"}}, "getty@t.service"},
		{Sandbox{Name: "job", Command: []string{"/bin/true"}}, "virt-sandbox@job.service"},
	}
	for _, c := range cases {
		if got := c.sandbox.HostUnit(); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.sandbox, got, c.want)
		}
	}
}

// TestGuessHostUnit has configs that cannot be parsed.
func TestGuessHostUnit(t *testing.T) {
	cases := []struct{ name, file, text, want string }{
		{"a wrong key after the unit", "/x/web.sandbox", "[sandbox]\nunit=httpd.service\ncolour=blue\n", "httpd@web.service"},
		{"blanks", "web.sandbox", " [sandbox] \n unit = httpd.service \n", "httpd@web.service"},
		{"the first of several", "web.sandbox", "[sandbox]\nunit=a.service\nunit=b.service\n", "a@web.service"},
		{"a wrong one first", "web.sandbox", "[sandbox]\nunit=../../x\nunit=b.service\n", "b@web.service"},
		{"a command", "job.sandbox", "[command]\nargument=/bin/true\nargument\n", "virt-sandbox@job.service"},
		{"in another section", "web.sandbox", "[limits]\nunit=httpd.service\n", ""},
		{"the name of another file", "web.sandbox", "[sandbox]\nname=db\nunit=httpd.service\n", "httpd@web.service"},
		{"empty", "web.sandbox", "", ""},
		{"no text", "web.sandbox", "\x7fELF\x00\x00", ""},
		{"file name of no sandbox", "we b.sandbox", "[sandbox]\nunit=httpd.service\n", ""},
	}
	for _, c := range cases {
		if got := GuessHostUnit(c.file, c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
