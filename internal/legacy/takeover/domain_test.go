// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"errors"
	"testing"
)

// fakeDomain answers as libvirt would of a domain.
type fakeDomain struct {
	xml                string
	persistent, active bool
	failure            error
}

func (d fakeDomain) XML() (string, error)        { return d.xml, nil }
func (d fakeDomain) IsPersistent() (bool, error) { return d.persistent, nil }
func (d fakeDomain) IsActive() (bool, error)     { return d.active, d.failure }

// TestJudge: only a domain that has the legacy config bound into it is legacy, and only one that is down may go.
func TestJudge(t *testing.T) {
	r, _ := newRemains(t)
	const other = `<domain type="lxc"><name>web1</name><devices><filesystem type="mount"><source dir="/srv"/>` +
		`<target dir="/srv"/></filesystem></devices></domain>`
	bound := `<domain type="lxc"><name>web1</name><devices><filesystem type="mount"><source dir="` +
		r.Configs.Store.Dir + `/web1/config/"/><target dir="/x"/></filesystem></devices></domain>`
	for _, test := range []struct {
		name    string
		domain  fakeDomain
		started bool
		want    Verdict
	}{
		{"legacy and down", fakeDomain{xml: bound, persistent: true}, false, Defined},
		{"legacy and up", fakeDomain{xml: bound, persistent: true, active: true}, false, Running},
		{"legacy and up, no longer defined", fakeDomain{xml: bound, active: true}, true, Running},
		{"legacy and just gone", fakeDomain{xml: bound}, false, Nothing},
		{"ours", fakeDomain{xml: other, active: true}, true, Nothing},
		{"of somebody else", fakeDomain{xml: other, active: true}, false, Foreign},
		{"of somebody else, defined", fakeDomain{xml: other, persistent: true, active: true}, true, Foreign},
		{"without devices", fakeDomain{xml: "<domain/>"}, false, Foreign},
	} {
		if got, err := r.Judge(test.domain, test.started); got != test.want || err != nil {
			t.Errorf("%s: %v, %v; want %v", test.name, got, err, test.want)
		}
	}
	failure := errors.New("gone")
	if _, err := r.Judge(fakeDomain{xml: bound, failure: failure}, false); !errors.Is(err, failure) {
		t.Errorf("a domain that does not answer: %v", err)
	}
	if _, err := r.Judge(fakeDomain{xml: "<"}, false); err == nil {
		t.Error("what is no XML is judged")
	}
}
