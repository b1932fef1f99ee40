package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// result is what one step did.
type result struct {
	Name     string        `json:"name"`
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Skipped  int           `json:"skipped"`
	Failures []string      `json:"failures,omitempty"` // names, in the order met
	Skips    []string      `json:"skips,omitempty"`    // name and message
	Took     time.Duration `json:"took"`
}

func (r *result) pass() { r.Passed++ }

func (r *result) fail(name string) {
	r.Failed++
	r.Failures = append(r.Failures, name)
}

// skip counts a skipped test: apart, or as a failure where the reason had to be
// a named one and is not.
func (r *result) skip(name, message string, reasons skipReasons) {
	if !reasons.allow(message) {
		r.fail(name + " (skipped without a named reason: " + message + ")")
		return
	}
	r.Skipped++
	r.Skips = append(r.Skips, name+": "+message)
}

func (r *result) save(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save result: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, r.Name+".json"), text, 0o644); err != nil {
		return fmt.Errorf("save result: %w", err)
	}
	return nil
}

// loadResults reads the results of the named steps. A step without one failed:
// it did not run, or its runner died.
func loadResults(dir string, names []string) ([]result, error) {
	var results []result
	for _, name := range names {
		r := result{Name: name}
		text, err := os.ReadFile(filepath.Join(dir, name+".json"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.fail("did not run")
		case err != nil:
			return nil, fmt.Errorf("load result: %w", err)
		default:
			if err := json.Unmarshal(text, &r); err != nil {
				return nil, fmt.Errorf("load result %s: %w", name, err)
			}
		}
		results = append(results, r)
	}
	return results, nil
}

func sumOf(results []result) result {
	var sum result
	for _, r := range results {
		sum.Passed += r.Passed
		sum.Failed += r.Failed
		sum.Skipped += r.Skipped
		sum.Took += r.Took
	}
	return sum
}

func printTable(results []result) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nstep\tpassed\tfailed\tskipped\ttime\n")
	for _, r := range append(results, namedSum(results)) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", r.Name, r.Passed, r.Failed, r.Skipped, r.Took.Round(time.Second))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	for _, r := range results {
		for _, skip := range r.Skips {
			fmt.Printf("skipped  %s: %s\n", r.Name, skip)
		}
	}
	for _, r := range results {
		for _, failure := range r.Failures {
			fmt.Printf("FAILED   %s: %s\n", r.Name, failure)
		}
	}
	return nil
}

func namedSum(results []result) result {
	sum := sumOf(results)
	sum.Name = "all"
	return sum
}

func printTotal(results []result) error {
	sum := sumOf(results)
	_, err := fmt.Printf("%d passed, %d failed\n", sum.Passed, sum.Failed)
	return err
}
