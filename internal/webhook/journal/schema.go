package journal

// applicationID marks the files of this package ("pswj").
const applicationID = 0x7073776a

// schema holds the steps for sqlite.Open. A step that was released is not
// changed.
//
// unsealed has one row for all events of an endpoint that one transaction
// brought; events up to endpoints.sealed are in payloads. payloads.bytes is the
// length of body, so that queues can be summed up from an index. A time_ms of 0
// asks for a new seal before the next attempt. What changes between attempts is
// in retries, so that bodies are not written again.
var schema = []string{`
PRAGMA application_id = 0x7073776a;

CREATE TABLE told (
	app     TEXT NOT NULL,
	channel TEXT NOT NULL,
	member  INTEGER NOT NULL,
	user_id TEXT NOT NULL,
	PRIMARY KEY (app, channel, member, user_id)
) WITHOUT ROWID;

CREATE TABLE endpoints (
	id     INTEGER PRIMARY KEY,
	app    TEXT NOT NULL,
	url    BLOB NOT NULL, -- its SHA-256: it can hold secrets
	nth    INTEGER NOT NULL,
	label  TEXT NOT NULL,
	sealed INTEGER NOT NULL DEFAULT 0,
	UNIQUE (app, url, nth)
);

CREATE TABLE unsealed (
	endpoint INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	events   BLOB NOT NULL,
	PRIMARY KEY (endpoint, last)
);

CREATE TABLE payloads (
	id        INTEGER PRIMARY KEY,
	endpoint  INTEGER NOT NULL,
	state     INTEGER NOT NULL, -- 1 waiting, 2 dead
	place     INTEGER NOT NULL,
	time_ms   INTEGER NOT NULL,
	events    INTEGER NOT NULL,
	bytes     INTEGER NOT NULL,
	key       TEXT NOT NULL,
	signature TEXT NOT NULL,
	channels  BLOB NOT NULL,
	died      INTEGER NOT NULL DEFAULT 0, -- Unix milliseconds
	reason    TEXT NOT NULL DEFAULT '',
	body      BLOB NOT NULL
);
CREATE INDEX payloads_waiting ON payloads (endpoint, place, events, bytes) WHERE state = 1;
CREATE INDEX payloads_dead ON payloads (id, died, bytes) WHERE state = 2;

CREATE TABLE retries (
	payload  INTEGER PRIMARY KEY,
	failures INTEGER NOT NULL,
	due      INTEGER NOT NULL -- Unix milliseconds
);

CREATE TABLE attempts (
	id       INTEGER PRIMARY KEY,
	payload  INTEGER NOT NULL,
	endpoint INTEGER NOT NULL,
	at       INTEGER NOT NULL, -- Unix milliseconds
	took     INTEGER NOT NULL, -- microseconds
	outcome  TEXT NOT NULL,
	status   INTEGER NOT NULL,
	answer   BLOB NOT NULL,
	error    TEXT NOT NULL
);
CREATE INDEX attempts_of ON attempts (payload);
`}

// State is what a payload is in.
type State int

// States of payloads. Those that are delivered are deleted.
const (
	Waiting State = 1 + iota // for an attempt, or being attempted
	Dead                     // given up; kept to be looked at and replayed

	absent State = 0
)

// String returns the name of the state.
func (s State) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Dead:
		return "dead"
	case absent:
	}
	return "any"
}
