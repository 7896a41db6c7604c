// SPDX-License-Identifier: Apache-2.0

package window

import (
	"testing"
	"time"
	_ "time/tzdata" // a bare host has none
)

// A window has its beginning and not its end, on its days, and goes on past midnight.
func TestHas(t *testing.T) {
	for _, c := range []struct{ window, moment string }{
		{"02:00-04:00", "Mon 02:00+ Mon 03:59+ Sun 02:00+ Mon 04:00- Mon 01:59- Mon 14:00-"},
		{"23:30-01:00", "Mon 23:30+ Tue 00:59+ Tue 01:00- Mon 23:29-"},
		{"Sat,Sun 23:00-01:00", "Sat 23:00+ Sun 00:30+ Mon 00:30+ Sat 00:30- Mon 23:00- Tue 00:30-"},
		{"Fri-Mon 00:00-24:00", "Fri 00:00+ Sun 23:59+ Mon 12:00+ Tue 00:00- Thu 23:59-"},
		{"mon 12:00-12:30", "Mon 12:00+ Mon 12:30- Tue 12:00-"},
	} {
		w, err := Parse(c.window)
		if err != nil || w.String() != c.window {
			t.Fatalf("%s: %v, %v", c.window, w, err)
		}
		for text := c.moment; text != ""; text = text[min(len(text), 11):] {
			// 2026-02-01 was a Sunday.
			day := 1 + weekday(text[:3])
			at, _ := clock(text[4:9])
			moment := time.Date(2026, 2, day, 0, 0, 0, 0, time.UTC).Add(at)
			if got := w.Has(moment); got != (text[9] == '+') {
				t.Errorf("%s has %s: %t", c.window, text[:9], got)
			}
		}
	}
	if !(Window{}).Has(time.Now()) {
		t.Error("any time is not now")
	}
}

// Where the clock is put forward or back, each window has its minutes all the same: those by the clock, and no day is
// without.
func TestHasWhereClockChanges(t *testing.T) {
	place, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		window     string
		month, day int // in 2026
		want       int // minutes
	}{
		{"02:00-02:30", 3, 29, 30}, {"02:15-02:45", 3, 29, 30}, {"01:00-04:00", 3, 29, 120}, {"23:00-05:00", 3, 28, 300},
		{"01:00-04:00", 10, 25, 240}, {"23:00-05:00", 10, 24, 420},
	} {
		w, err := Parse(c.window)
		if err != nil {
			t.Fatal(err)
		}
		minutes := 0
		begin := time.Date(2026, time.Month(c.month), c.day, 0, 0, 0, 0, place)
		if w.begin > day/2 {
			begin = begin.Add(day / 2)
		}
		for m := range 20 * 60 {
			if w.Has(begin.Add(time.Duration(m) * time.Minute)) {
				minutes++
			}
		}
		if minutes != c.want {
			t.Errorf("%s on %d-%d has %d minutes, want %d", c.window, c.month, c.day, minutes, c.want)
		}
	}
}

// What is no window is refused.
func TestParse(t *testing.T) {
	for _, text := range []string{"", "02:00", "02:00-", "2:00-4:00", "02:00-25:00", "02:60-03:00", "24:00-01:00",
		"02:00-02:00", "Sat", "Sam 02:00-04:00", "Mon- 02:00-04:00", "Mon,,Tue 02:00-04:00", "Mon Tue 02:00-04:00",
		"-1:00-04:00", "02:00-24:01", "daily"} {
		if w, err := Parse(text); err == nil {
			t.Errorf("%q is %+v", text, w)
		}
	}
}

// FuzzParse: what is read is never empty, and its text is read as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"02:00-04:00", "Sat,Sun 23:00-01:00", "Fri-Mon 00:00-24:00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(w.String())
		if err != nil || again != w || w.long <= 0 || w.long > day {
			t.Errorf("%q: %+v, then %+v, %v", text, w, again, err)
		}
		hours := 0
		for h := range 7 * 24 * 60 {
			if w.Has(time.Date(2026, 2, 1, 0, h, 0, 0, time.UTC)) {
				hours++
			}
		}
		if hours == 0 {
			t.Errorf("%q has no minute of a week", text)
		}
	})
}
