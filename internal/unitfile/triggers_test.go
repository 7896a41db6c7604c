// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestFindAll: what sockets, timers and paths start belongs to a sandbox as the asked units do.
func TestFindAll(t *testing.T) {
	const lib, service = "/usr/lib/systemd/system/", "[Service]\nAmbientCapabilities=CAP_KILL\n"
	host := Root(hosttest.Root(t, map[string]string{
		lib + "a.service": service, lib + "a.socket": "[Socket]\nListenStream=1\n",
		lib + "b@.service": service, lib + "b.socket": "[Socket]\nAccept=yes\n",
		lib + "c.service": service, lib + "c.socket": "[Socket]\nService=other.service\n",
		lib + "other.service": service, lib + "d.timer": "[Timer]\nUnit=d-job.service\n", lib + "d-job.service": service,
		lib + "e@.timer": "[Timer]\n", lib + "e@.service": service,
		lib + "f.path": "[Path]\nUnit=a.socket\n", lib + "g.timer": "[Timer]\n",
	}))
	none := func(err error) error { return err }
	for names, want := range map[string]string{
		"a.service":          "a.service +",
		"a.socket":           "a.socket + a.service",
		"a.socket a.service": "a.socket a.service +",
		"b.socket":           "b.socket + b@.service",
		"c.socket d.timer":   "c.socket d.timer + other.service d-job.service",
		"e@.timer":           "e@box.timer + e@box.service",
		"f.path":             "f.path + a.socket a.service",
		"g.timer":            "g.timer +",
	} {
		set, err := host.FindAll(strings.Fields(names), "box", none)
		if err != nil {
			t.Errorf("%s: %v", names, err)
			continue
		}
		got := strings.TrimRight(namesOf(set.Asked)+" + "+namesOf(set.Triggered), " ")
		if got != want {
			t.Errorf("%s: got %s, want %s", names, got, want)
		}
	}
	set, err := host.FindAll([]string{"a.socket"}, "box", none)
	if got := set.Capabilities(true); err != nil || len(got) != 1 || got[0] != "CAP_KILL" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := host.FindAll([]string{"absent"}, "box", none); !errors.Is(err, ErrNoUnit) {
		t.Errorf("got %v", err)
	}
	set, err = host.FindAll([]string{"absent", "a"}, "box", func(error) error { return nil })
	if err != nil || namesOf(set.Asked) != "a.service" {
		t.Errorf("got %v, %v", set, err)
	}
}

func namesOf(units []*Unit) string {
	var names []string
	for _, u := range units {
		names = append(names, u.Name)
	}
	return strings.Join(names, " ")
}
