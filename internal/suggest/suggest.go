// SPDX-License-Identifier: Apache-2.0

// Package suggest finds the word that somebody meant who wrote one that is not known. In: the word, and those that are
// known; out: the nearest of them. Readers of configs and of command lines call it.
package suggest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// longest is how long a word may be, in bytes, that something is suggested for: the work grows with its square.
const longest = 64

// Closest returns the known word that differs least from another, "" where none is near: one letter in three may be
// wrong, missing, too much or in its neighbour's place, but one in any case. Upper case is no difference. Of those
// that are equally near, it is the first.
func Closest(word string, known []string) string {
	if word == "" || len(word) > longest {
		return ""
	}
	limit := max(1, utf8.RuneCountInString(word)/3)
	closest := ""
	for _, other := range known {
		if other == "" || len(other) > longest {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(other)); d <= limit {
			closest, limit = other, d-1
		}
	}
	return closest
}

// DidYouMean returns the question that follows a complaint about an unknown word, with what leads to it, "" where
// nothing is near. format is how a word is shown, such as "[%s]".
func DidYouMean(format, word string, known []string) string {
	closest := Closest(word, known)
	if closest == "" {
		return ""
	}
	return "; did you mean " + fmt.Sprintf(format, closest) + "?"
}

// distance counts the letters that are to be changed, added, removed, or swapped with the next one, no letter twice
// (optimal string alignment).
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
