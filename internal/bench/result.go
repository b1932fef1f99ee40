package bench

import "time"

// Direction says which of two values of a figure is the better one.
type Direction string

// Directions of figures; "" is neither.
const (
	Lower  Direction = "lower"
	Higher Direction = "higher"
)

// Figure is one measured value.
type Figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Value  float64   `json:"value"`
	Better Direction `json:"better,omitempty"`
}

// Accounting tells what became of everything that was sent in a run, warm-up
// included.
type Accounting struct {
	Sent       uint64 `json:"sent"`              // events or joins that the server accepted
	Expected   uint64 `json:"expected"`          // deliveries that had to follow
	Delivered  uint64 `json:"delivered"`         // once each
	Lost       uint64 `json:"lost"`              // expected and not there when the wait for them was over
	Duplicated uint64 `json:"duplicated"`        // delivered again
	Foreign    uint64 `json:"foreign"`           // delivered though nothing of it was sent there
	Failed     uint64 `json:"failed"`            // requests without a good answer; some may have been delivered
	Unsent     uint64 `json:"unsent"`            // due in an open loop and not sent: the generator was full
	Refused    uint64 `json:"refused"`           // pusher:error messages
	Closed     uint64 `json:"closed"`            // connections lost
	Received   uint64 `json:"received_bytes"`    // WebSocket bytes
	Written    uint64 `json:"written_bytes"`     // WebSocket bytes
	Failure    string `json:"failure,omitempty"` // the first failed request, refusal or lost connection
}

// clean reports whether everything arrived exactly once.
func (a *Accounting) clean() bool {
	return a.Lost+a.Duplicated+a.Foreign+a.Failed+a.Unsent+a.Refused+a.Closed == 0
}

// Result is one run of one scenario.
type Result struct {
	Scenario   string     `json:"scenario"`
	Setup      string     `json:"setup"` // what was measured, in words; runs of the same are comparable
	Started    time.Time  `json:"started"`
	Figures    []Figure   `json:"figures"`
	Accounting Accounting `json:"accounting"`
	Warnings   []string   `json:"warnings,omitempty"`
}

func (r *Result) add(name, unit string, value float64, better Direction) {
	r.Figures = append(r.Figures, Figure{name, unit, value, better})
}

// Names of figures that reports and floors refer to.
const (
	figureDeliveries = "deliveries per second"
	figureCost       = "server CPU per million deliveries"
)
