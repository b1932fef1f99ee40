package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// writerArgument makes the test binary the writer of the limit scenario.
const writerArgument = "limit-writer"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == writerArgument {
		if err := serveWriter(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The race detector makes processes wait a second at their end; no writer is
	// read after its own.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	testkit.Main(m)
}

func serveWriter(arguments []string) error {
	number := func(name string) float64 {
		v, _ := strconv.ParseFloat(arguments[slices.Index(arguments, name)+1], 64)
		return v
	}
	return ServeLimit(context.Background(), Options{
		Connections: int(number("--connections")), Size: int(number("--size")),
		FramesPerWrite: int(number("--frames-per-write")), Rate: number("--rate"),
	}, os.Stdin, os.Stdout)
}
