package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// readMoments makes Unix milliseconds of the values of --from and --to, where they
// are given.
func readMoments(from, to *string, now time.Time) error {
	for _, t := range []struct {
		flag  string
		value *string
	}{{"--from", from}, {"--to", to}} {
		if *t.value == "" {
			continue
		}
		ms, err := parseMoment(*t.value, now)
		if err != nil {
			return fmt.Errorf("%s must be a time, a date, Unix milliseconds or a duration such as 2h, not %q", t.flag, *t.value)
		}
		*t.value = strconv.FormatInt(ms, 10)
	}
	return nil
}

// parseMoment reads a time of the command line as Unix milliseconds.
func parseMoment(text string, now time.Time) (int64, error) {
	if ms, err := strconv.ParseUint(text, 10, 63); err == nil {
		return int64(ms), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago).UnixMilli(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.UnixMilli() >= 0 {
			return t.UnixMilli(), nil
		}
	}
	return 0, errors.New("no time")
}

// shownTime is the text of Unix milliseconds.
func shownTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// shown makes text of others fit for a terminal; no character of it becomes longer
// than ten.
func shown(text string) string { return auth.Echo(text, 10*len(text)+len("…")) }
