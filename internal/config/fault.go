package config

import (
	"errors"
	"strings"
)

// A fault is one thing that is wrong with a configuration.
type fault struct {
	path   string // of the key; "" if the fault is not about one
	source string // variable or flag that set it; "" for the file and for defaults
	text   string // never holds a secret
}

// Error returns the fault as one line.
func (f fault) Error() string {
	switch {
	case f.path == "" && f.source == "":
		return f.text
	case f.path == "":
		return f.source + ": " + f.text
	case f.source == "":
		return f.path + ": " + f.text
	default:
		return f.path + " (" + f.source + "): " + f.text
	}
}

type faults []fault

func (f *faults) add(path, source, text string) { *f = append(*f, fault{path, source, text}) }

// addUnlessKnown adds faults of a later stage, except where the key or a table
// around it is at fault already: a value that could not be read is not also
// missing.
func (f *faults) addUnlessKnown(later faults) {
	known := *f
	for _, l := range later {
		if !known.cover(l.path) {
			*f = append(*f, l)
		}
	}
}

func (f faults) cover(path string) bool {
	for _, known := range f {
		rest, ok := strings.CutPrefix(path, known.path)
		if ok && known.path != "" && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// err joins the faults, one line each; nil if there are none.
func (f faults) err() error {
	errs := make([]error, len(f))
	for i := range f {
		errs[i] = f[i]
	}
	return errors.Join(errs...)
}
