package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	protocolPath = "docs/protocol.md"
	tablePath    = "docs/protocol-coverage.md"
	laterPath    = "test/pcoverage/later.txt"
)

func main() {
	root := flag.String("root", "", "folder of go.mod; found upwards of the working folder by default")
	check := flag.Bool("check", false, "fail on gaps, wrong numbers and a table out of date")
	write := flag.String("write", "", "write the Markdown table to this file, relative to the root")
	flag.Parse()
	if err := run(os.Stdout, *root, *write, *check); err != nil {
		fmt.Fprintln(os.Stderr, "pcoverage:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, root, write string, check bool) error {
	if root == "" {
		var err error
		if root, err = findRoot(); err != nil {
			return err
		}
	}
	c, err := load(root)
	if err != nil {
		return err
	}
	if write != "" {
		if err := os.WriteFile(filepath.Join(root, write), c.markdown(), 0o644); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	if !check {
		return c.print(out)
	}
	if err := c.check(root); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d statements: %d covered, %d later\n",
		len(c.statements), len(c.statements)-len(c.later), len(c.later))
	return err
}

// findRoot returns the nearest folder with a go.mod, from the working folder up.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod here or above; say -root")
		}
		dir = parent
	}
}
