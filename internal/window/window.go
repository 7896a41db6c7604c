// SPDX-License-Identifier: Apache-2.0

// Package window has times of the day in which something may be done. In: a text such as "Sat,Sun 02:00-04:00"; out:
// whether a moment lies in them. Package config calls it, and whoever does the thing.
package window

import (
	"fmt"
	"strings"
	"time"
)

// Window is a time of some days of the week, by the host's clock. The zero value is any time.
type Window struct {
	text        string
	days        [7]bool // on which it begins, from Sunday
	begin, long time.Duration
}

const msgWindow = "%q is not a time of the day such as 02:00-04:00, with days before it where it is not all of them: " +
	"Sat,Sun 23:00-01:00 or Mon-Fri 02:00-04:00"

// Parse reads a window. One that ends before it begins ends on the next day.
func Parse(text string) (Window, error) {
	w := Window{text: text}
	wrong := fmt.Errorf(msgWindow, text)
	fields := strings.Fields(text)
	if len(fields) < 1 || len(fields) > 2 {
		return Window{}, wrong
	}
	if len(fields) == 1 {
		w.days = [7]bool{true, true, true, true, true, true, true}
	} else if !w.addDays(fields[0]) {
		return Window{}, wrong
	}
	from, to, found := strings.Cut(fields[len(fields)-1], "-")
	begin, known := clock(from)
	end, alsoKnown := clock(to)
	if !found || !known || !alsoKnown || begin == end || begin == day {
		return Window{}, wrong
	}
	if w.begin, w.long = begin, end-begin; w.long < 0 {
		w.long += day
	}
	return w, nil
}

const day = 24 * time.Hour

// clock reads HH:MM, up to 24:00.
func clock(text string) (time.Duration, bool) {
	if len(text) != len("HH:MM") || text[2] != ':' {
		return 0, false
	}
	var n [4]int
	for i, at := range []int{0, 1, 3, 4} {
		if n[i] = int(text[at]) - '0'; n[i] < 0 || n[i] > 9 {
			return 0, false
		}
	}
	hours, minutes := n[0]*10+n[1], n[2]*10+n[3]
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	return d, minutes < 60 && d <= day
}

// addDays reads Mon,Wed or Fri-Mon.
func (w *Window) addDays(text string) bool {
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, last := weekday(from), weekday(to)
		if first < 0 || last < 0 {
			return false
		}
		for d := first; ; d = (d + 1) % 7 {
			w.days[d] = true
			if d == last {
				break
			}
		}
	}
	return true
}

// weekday returns the number of a day from Sunday by its first three letters; -1 for none.
func weekday(text string) int {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(text, d.String()[:3]) {
			return int(d)
		}
	}
	return -1
}

// String returns the text that Parse has read; "" for any time.
func (w Window) String() string { return w.text }

// Has reports whether a moment lies in the window, by the clock of the moment's place. Where that clock is put forward
// over the times of a window, the window is the hour before or after.
func (w Window) Has(moment time.Time) bool {
	if w.text == "" {
		return true
	}
	year, month, today := moment.Date()
	for _, date := range []int{today, today - 1} {
		at := func(clock time.Duration) time.Time {
			return time.Date(year, month, date, 0, int(clock/time.Minute), 0, 0, moment.Location())
		}
		if w.days[at(day/2).Weekday()] && !moment.Before(at(w.begin)) && moment.Before(at(w.begin+w.long)) {
			return true
		}
	}
	return false
}
