package daemon

import (
	"log/slog"
	"math"
)

// reservedDescriptors are kept from WebSocket connections: for listeners, files,
// backends' HTTP connections and webhook receivers.
const reservedDescriptors = 512

// connectionLimit raises the file-descriptor limit and returns how many
// WebSocket connections the process takes: what is configured, else what the
// descriptors allow.
func connectionLimit(configured int, log *slog.Logger) int {
	before, limit, err := raiseDescriptorLimit()
	switch {
	case err != nil:
		log.Warn("file-descriptor limit not raised", "limit", limit, "error", err)
	case before < limit:
		log.Info("file-descriptor limit raised to the most allowed", "from", before, "to", limit)
	default:
		log.Info("file-descriptor limit is the most allowed", "limit", limit)
	}
	descriptors := int(min(limit, math.MaxInt32))
	possible := max(descriptors-reservedDescriptors, descriptors/2)
	if configured == 0 {
		return possible
	}
	if configured > possible {
		log.Warn("limits.max_connections is more than the file-descriptor limit allows",
			"max_connections", configured, "possible", possible)
	}
	return configured
}
