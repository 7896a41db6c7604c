// SPDX-License-Identifier: Apache-2.0

// Package scalar reads numbers, times, and yes or no as configs write them. In: text; out: values, or what is wrong
// with it, as a sentence. Package config calls it.
package scalar

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

const (
	msgBoolean  = "%q is not yes or no"
	msgNumber   = "%q is not a number from 0 to 4294967294"
	msgPIDs     = "%q is not a number of processes from 1 to %d, or none"
	msgCPUs     = "%q is not a number of CPUs such as 0.5 or 2"
	msgDuration = "%q is not a time such as 90s or 5m"
	msgTime     = "%q is not a time such as 2026-01-31T12:00:00Z"
	msgRetries  = "%q is not a number of failures in a row from 1 to 1000"
)

// Bool reads yes or no.
func Bool(text string) (bool, error) {
	switch text {
	case "yes", "true":
		return true, nil
	case "no", "false":
		return false, nil
	}
	return false, fmt.Errorf(msgBoolean, text)
}

// ID reads a number of a user or group.
func ID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return 0, fmt.Errorf(msgNumber, text)
	}
	return uint32(n), nil
}

// Unlimited is the value of a limit that is none though there is one by default.
const Unlimited = "none"

// maxPIDs is the greatest number of processes that the kernel can count (proc_sys_kernel(5), pid_max).
const maxPIDs = 1 << 22

// PIDs reads a number of processes, or none, which is 0.
func PIDs(text string) (uint32, error) {
	if text == Unlimited {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < 1 || n > maxPIDs {
		return 0, fmt.Errorf(msgPIDs, text, maxPIDs)
	}
	return uint32(n), nil
}

// CPUs reads a number of CPUs.
func CPUs(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0.01 && n <= 4096) {
		return 0, fmt.Errorf(msgCPUs, text)
	}
	return n, nil
}

// Duration reads a time from a second to a day.
func Duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > 24*time.Hour {
		return 0, fmt.Errorf(msgDuration, text)
	}
	return d, nil
}

// Time reads a time to the second, which is what the format keeps.
func Time(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	t = t.UTC().Truncate(time.Second)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf(msgTime, text)
	}
	return t, nil
}

// Retries reads a number of failures.
func Retries(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf(msgRetries, text)
	}
	return uint32(n), nil
}

// TimeText returns the text that Time reads as the same; "" for no time.
func TimeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
