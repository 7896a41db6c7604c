package helper

import "testing"

// TestStartsOriginal tells units of the original from ours and from an administrator's.
func TestStartsOriginal(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       bool
	}{
		{"the original's", "[Service]\nExecStart=/usr/libexec/virt-sandbox-service-util -c lxc:/// -s web1\n", true},
		{"an older one", "[Unit]\nReloadPropagatedFrom=httpd.service\n[Service]\nExecStart=/usr/bin/virt-sandbox-service start web1\n", true},
		{"another container's", "[Service]\nExecStart=/usr/libexec/virt-sandbox-service-util -c lxc:/// -s web10\n", false},
		{"an administrator's, of our tool", "[Service]\nExecStart=/usr/bin/virt-sandbox-service start web1\n", false},
		{"ours, made whole", "[Service]\nExecStart=/usr/libexec/virt-sandbox/virt-sandbox-service-helper run web1\n", false},
		{"a short one of ours", "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/web1.sandbox\n", false},
		{"a comment", "#ExecStart=/usr/libexec/virt-sandbox-service-util -s web1\n", false},
	} {
		if got := startsOriginal(test.text, "web1"); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}
