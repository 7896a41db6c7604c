// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// fakeHost has a server that answers for some times and not for others. Its clock is the bubble's, in which hours pass
// in a moment.
type fakeHost struct {
	begun  time.Time
	lease  time.Duration
	silent func(age time.Duration) bool // the server does not answer
	refuse func(age time.Duration) bool
	gone   func(age time.Duration) bool // the interface is
	events []string
	count  int
}

func (h *fakeHost) now() time.Duration { return time.Since(h.begun) }

func (h *fakeHost) say(format string, args ...any) {
	h.events = append(h.events, h.now().Round(time.Second).String()+" "+fmt.Sprintf(format, args...))
}

func (h *fakeHost) answer(ctx context.Context) error {
	switch {
	case h.gone != nil && h.gone(h.now()):
		return unix.ENODEV
	case h.silent != nil && h.silent(h.now()):
		<-ctx.Done()
		return errNoAnswer
	case h.refuse != nil && h.refuse(h.now()):
		return errRefused
	}
	return nil
}

func (h *fakeHost) give(n int) *Lease {
	return &Lease{
		Address:  Address{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 24)},
		Obtained: h.now(), Renew: h.lease / 2, Rebind: h.lease / 8 * 7, Expire: h.lease,
	}
}

func (h *fakeHost) discover(ctx context.Context) (*Lease, error) {
	h.say("discover")
	if err := h.answer(ctx); err != nil {
		return nil, err
	}
	h.count++
	return h.give(h.count), nil
}

func (h *fakeHost) request(ctx context.Context, lease *Lease, everybody bool) (*Lease, error) {
	if everybody {
		h.say("rebind")
	} else {
		h.say("renew")
	}
	if err := h.answer(ctx); err != nil {
		return nil, err
	}
	return h.give(int(lease.Address.Prefix.Addr().As4()[3])), nil
}

func (h *fakeHost) apply(_, lease *Lease) error {
	if lease == nil {
		h.say("drop")
	} else {
		h.say("apply %s", lease.Address.Prefix.Addr())
	}
	return nil
}

// TestKeep lets hours pass and looks at what was done when.
func TestKeep(t *testing.T) {
	before := func(end time.Duration) func(time.Duration) bool {
		return func(age time.Duration) bool { return age < end }
	}
	from := func(begin time.Duration) func(time.Duration) bool {
		return func(age time.Duration) bool { return age >= begin }
	}
	cases := []struct {
		name  string
		host  fakeHost
		first bool // it has a lease already
		run   time.Duration
		want  string
		said  string
		err   error
	}{
		{name: "renews at half time", host: fakeHost{lease: time.Hour}, first: true, run: 95 * time.Minute,
			want: "30m0s renew|30m0s apply 10.0.0.9|1h0m0s renew|1h0m0s apply 10.0.0.9|1h30m0s renew|1h30m0s apply 10.0.0.9"},
		{name: "gets the first", host: fakeHost{lease: time.Hour}, run: 35 * time.Minute,
			want: "0s discover|0s apply 10.0.0.1|30m0s renew|30m0s apply 10.0.0.1", said: "eth0: has the address 10.0.0.1/24"},
		{
			name:  "asks again after half of what is left",
			host:  fakeHost{lease: 8 * time.Minute, silent: before(5 * time.Minute)},
			first: true,
			run:   6 * time.Minute,
			want:  "4m0s renew|5m38s renew|5m38s apply 10.0.0.9",
			said:  "no DHCP server answers",
		},
		{
			name:  "asks everybody",
			host:  fakeHost{lease: 8 * time.Minute, silent: before(415 * time.Second)},
			first: true,
			run:   8 * time.Minute,
			want:  "4m0s renew|5m38s renew|6m53s renew|7m0s rebind|7m0s apply 10.0.0.9",
			said:  "no DHCP server answers",
		},
		{
			name:  "loses it and finds another",
			host:  fakeHost{lease: 80 * time.Second, silent: before(5 * time.Minute)},
			first: true,
			run:   7 * time.Minute,
			want: "40s renew|1m10s rebind|1m20s drop|1m20s discover|3m5s discover|4m50s discover|6m35s discover|6m35s apply " +
				"10.0.0.1",
			said: "no DHCP server answers|eth0: the lease of 10.0.0.9 has ended|no DHCP server answers|eth0: has the address " +
				"10.0.0.1/24",
		},
		{
			name:  "is refused",
			host:  fakeHost{lease: time.Hour, refuse: before(31 * time.Minute), silent: nil},
			first: true,
			run:   32 * time.Minute,
			want:  "30m0s renew|30m0s drop|30m0s discover|31m0s discover|31m0s apply 10.0.0.1",
			said: "refuses; the address " +
				"10.0.0.9 is given up",
		},
		{
			name:  "its interface is gone",
			host:  fakeHost{lease: time.Hour, gone: from(time.Minute)},
			first: true,
			run:   2 * time.Hour,
			want:  "30m0s renew",
			err:   unix.ENODEV,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.host.begun = time.Now()
				var lease *Lease
				if c.first {
					lease = c.host.give(9)
				}
				var said []string
				ctx, cancel := context.WithTimeout(t.Context(), c.run)
				defer cancel()
				err := keeper{
					host: &c.host,
					name: "eth0",
					now:  c.host.now,
					log:  func(text string) { said = append(said, text) },
				}.keep(
					ctx,
					lease,
				)
				if !errors.Is(err, c.err) {
					t.Errorf("got error %v, want %v", err, c.err)
				}
				if got := strings.Join(c.host.events, "|"); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				if got := strings.Join(said, "|"); !strings.Contains(got, c.said) || (c.said == "" && got != "") {
					t.Errorf("said %q, want %q", got, c.said)
				}
			})
		})
	}
}
