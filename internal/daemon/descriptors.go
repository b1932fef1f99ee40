package daemon

import (
	"log/slog"
	"math"
)

// reservedDescriptors are kept from WebSocket connections, beside those for
// requests to webhook receivers: for listeners, files, backends' HTTP connections
// and kept connections to receivers.
const reservedDescriptors = 256

// connectionLimit raises the file-descriptor limit and returns how many
// WebSocket connections the process takes: what is configured, else what the
// descriptors allow that so many webhooks in flight leave.
func connectionLimit(configured, webhooks int, log *slog.Logger) int {
	before, limit, err := raiseDescriptorLimit()
	switch {
	case err != nil:
		log.Warn("file-descriptor limit not raised", "limit", limit, "error", err)
	case before < limit:
		log.Info("file-descriptor limit raised to the most allowed", "from", before, "to", limit)
	default:
		log.Info("file-descriptor limit is the most allowed", "limit", limit)
	}
	possible := possibleConnections(int(min(limit, math.MaxInt32)), webhooks)
	if configured == 0 {
		return possible
	}
	if configured > possible {
		log.Warn("limits.max_connections is more than the file-descriptor limit allows",
			"max_connections", configured, "possible", possible)
	}
	return configured
}

// possibleConnections leaves the sockets half of the descriptors in any case.
func possibleConnections(descriptors, webhooks int) int {
	return max(descriptors-reservedDescriptors-webhooks, descriptors/2)
}
