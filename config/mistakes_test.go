// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
)

// All mistakes of a config are told of at once, each with its line, and what may be meant by a word that is not known.
func TestAllMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{
			"[sandbox]\nformat=1\nname=webX\nunti=httpd\n[limits]\nmemory=2GB\ncpu=2\n",
			`web.sandbox:3: name "webX" differs from the file's name; rename one of them; ` +
				`line 4: unknown key "unti" in [sandbox]; did you mean "unit"?; ` +
				`line 6: "2GB" is not a size such as 512M or 2G (bytes, K, M, G, T); ` +
				`line 7: unknown key "cpu" in [limits]; did you mean "cpus"?`,
		},
		{
			"[Sandbox]\nformat=1\nnonsense\nname=web\n[sandbox]\nmemory=2G\nname=web\n",
			`web.sandbox:1: unknown section [Sandbox]; did you mean [sandbox]?; ` +
				`line 3: "nonsense" is neither [section], KEY=VALUE nor a # comment; ` +
				`line 6: unknown key "memory" in [sandbox]; it belongs to [limits]`,
		},
		{
			// What a newer format has is no mistake of it.
			"[sandbox]\nformat=3\nname=web\nnew=1\n",
			`web.sandbox:2: format "3" is not supported; this program knows 1 and 2`,
		},
		{
			"[sandbox]\nformat=1\nname=web\n",
			`web.sandbox: nothing to run: give [sandbox] unit or [command] argument`,
		},
	} {
		if _, err := Parse("web.sandbox", test.text); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
	_, err := Parse("web.sandbox", "[sandbox]\nformat=1\n"+strings.Repeat("nonsense\n", 1000))
	if mistakes := strings.Count(err.Error(), "nonsense"); mistakes != maxMistakes {
		t.Errorf("%d mistakes of a file of nonsense are told of", mistakes)
	}
}
