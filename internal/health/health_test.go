// SPDX-License-Identifier: Apache-2.0

package health

import (
	"testing"
	"time"
)

// TestAfter: so many failures in a row make a sandbox unhealthy, one success makes it well, and what fails while it
// starts does not count.
func TestAfter(t *testing.T) {
	c := Check{Interval: time.Second, Retries: 3, StartPeriod: 4 * time.Second}
	now := time.Unix(1000, 0)
	s := ReadState(nil)
	for i, step := range []struct {
		well bool
		want string
	}{
		{false, Starting}, {false, Starting}, {false, Starting}, {false, Starting}, {false, Starting}, {false, Starting},
		{false, Unhealthy}, {true, Healthy}, {false, Healthy}, {false, Healthy}, {true, Healthy}, {false, Healthy},
		{false, Healthy}, {false, Unhealthy}, {false, Unhealthy},
	} {
		s = ReadState(c.After(s, step.well, now).Text())
		if s.Verdict != step.want {
			t.Errorf("step %d: %+v, want %s", i, s, step.want)
		}
		now = now.Add(time.Second)
	}
	// A clock that was set back does not keep a start from its end.
	if s := c.After(State{Starting, 2, now.Add(time.Hour)}, false, now); s.Since != now {
		t.Errorf("since %v", s.Since)
	}
}

// FuzzReadState: whatever lies there, the state is one that After makes.
func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{"verdict":"healthy","failures":1}`))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s := ReadState(text); !IsVerdict(s.Verdict) {
			t.Errorf("%q is read as %+v", text, s)
		}
	})
}
