package engines

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// buildNATS builds the NATS server of the module that this one requires into dir
// and returns where the program is.
func buildNATS(dir string) (string, error) {
	path := filepath.Join(dir, "nats-server")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/nats-io/nats-server/v2")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the NATS server: %w\n%s", err, out)
	}
	return path, nil
}

// startNATS starts so many servers, which are one cluster if there are several.
func (e *Engine) startNATS(kind Kind) error {
	program, err := buildNATS(e.dir)
	if err != nil {
		return err
	}
	count := 1
	if kind == NATSCluster {
		count = 3
	}
	var routes []string
	for i := range count {
		ports, err := freePorts(2)
		if err != nil {
			return err
		}
		known, err := e.known(ports[0])
		if err != nil {
			return err
		}
		argv := []string{
			program, "-a", "127.0.0.1", "-p", strconv.Itoa(ports[0]),
			"-n", fmt.Sprint("nats-", i), "--client_advertise", known,
		}
		if count > 1 {
			routes = append(routes, "nats://"+addressOf(ports[1]))
			argv = append(argv, "--cluster_name", "test", "--cluster", routes[i], "--routes", strings.Join(routes, ","))
		}
		if err := e.add(NewProcess(addressOf(ports[0]), e.dir, argv...)); err != nil {
			return err
		}
	}
	return nil
}

func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
