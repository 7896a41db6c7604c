// SPDX-License-Identifier: Apache-2.0

package unitfailed

import (
	"strings"
	"testing"
)

// Units of the sandbox, and what is part of them, are told apart from others; one that is being restarted is not told.
func TestMessage(t *testing.T) {
	own := []string{"apache2.service", "postgresql.service"}
	for name, c := range map[string]struct{ answer, want string }{
		"nothing": {"", ""},
		"own": {"Id=apache2.service\nResult=signal\nPartOf=\n",
			"X_FAILED=apache2.service signal"},
		"a part": {"Result=exit-code\nId=postgresql@16-main.service\nPartOf=x.target postgresql.service\n",
			"X_FAILED=postgresql@16-main.service exit-code"},
		"another": {"Id=logrotate.service\nResult=exit-code\n", "X_DEGRADED=logrotate.service"},
		"several": {"Id=a.service\nResult=x\n\nId=apache2.service\nResult=oom-kill\n\nId=b.socket\nResult=y\n\n" +
			"Id=postgresql.service\nResult=z\n",
			"X_FAILED=apache2.service oom-kill\nX_DEGRADED=a.service b.socket"},
		"restarted": {"Id=apache2.service\nResult=signal\nJob=217\n\nId=a.service\nJob=218\n", ""},
		"many": {strings.Repeat("Id=a.service\n\n", 1000),
			"X_DEGRADED=" + strings.Repeat("a.service ", maxTold-1) + "a.service"},
	} {
		if got := messageOf(c.answer, own); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
