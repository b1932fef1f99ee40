package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

const clusterAnswer = `{"id":"00000000000000ff","name":"node-1","version":"1.2.3","ready":true,` +
	`"engine":{"engine":"redis","servers":["10.0.0.9:6379","10.0.0.9:6380"],"version":"7.0.15","up":true,"since_ms":1767323045000},"settled":true,` +
	`"nodes":[{"id":"00000000000000ff","name":"node-1","version":"1.2.3","state":"self","started_ms":1767323040000,"connections":12,"lag_ms":0.42},` +
	`{"id":"0123456789abcdef","name":"node-2\u001b[2J","version":"1.2.4","state":"suspect","connections":3,"lag_ms":1200}],` +
	`"counters":{"connects_total":1,"published_total":12345678,"dropped_total{reason=queue_full}":0}}`

func TestPrintCluster(t *testing.T) {
	now := time.UnixMilli(1767323045000).Add(90*time.Second + time.Millisecond)
	for name, c := range map[string]struct{ answer, want string }{
		"as it should be": {clusterAnswer, `node     node-1
id       00000000000000ff
ready    yes
engine   redis 7.0.15
link     up for 1m30s
servers  10.0.0.9:6379 10.0.0.9:6380

NODE             ID                STATE    VERSION  STARTED                   CONNECTIONS  LAG
node-1           00000000000000ff  self     1.2.3    2026-01-02T03:04:00.000Z  12           0.4ms
node-2\u001b[2J  0123456789abcdef  suspect  1.2.4    -                         3            1200.0ms

METRIC                            VALUE
connects_total                    1
dropped_total{reason=queue_full}  0
published_total                   12345678
`},
		"not connected": {
			`{"name":"a","id":"b","reasons":["not connected to nats"],"engine":{"engine":"nats","fault":"no route\n"},"nodes":[],"other_releases":true}`,
			`node    a
id      b
ready   no: not connected to nats
engine  nats
link    down: no route\n
note    the nodes do not agree yet on who is there
note    nodes of a release that this one cannot talk with use the engine

NODE  ID  STATE  VERSION  STARTED  CONNECTIONS  LAG
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := printCluster(&out, []byte(c.answer), now); err != nil || out.String() != c.want {
				t.Errorf("error %v\n%s\nwant\n%s", err, out.String(), c.want)
			}
		})
	}
}

func TestClusterStatus(t *testing.T) {
	a := newOpsAPI(t, "sesame", map[string]string{"GET /api/cluster": clusterAnswer})
	ask := func(token string, args ...string) result {
		return command(t, []string{"PIPESOCKETD_OPS_TOKEN=" + token}, "", append([]string{"cluster", "status", "--ops", a.URL}, args...)...)
	}
	if got := ask("sesame", "--json"); got != (result{0, clusterAnswer + "\n", ""}) {
		t.Errorf("as JSON: %+v", got)
	}
	if got := ask("sesame"); got.code != 0 || !strings.Contains(got.stdout, "node-1           00000000000000ff  self") {
		t.Errorf("as a table: %+v", got)
	}
	if got := ask("wrong"); got.code != 1 || !strings.Contains(got.stderr, "refuses the operations token") {
		t.Errorf("with a wrong token: %+v", got)
	}
	a.answers["GET /api/cluster"] = "501 This node is alone"
	if got := ask("sesame"); got != (result{1, "", "pipesocketd: This node is alone\n"}) {
		t.Errorf("of a single node: %+v", got)
	}
	a.answers["GET /api/cluster"] = "[]"
	if got := ask("sesame"); got.code != 1 || !strings.Contains(got.stderr, "does not answer with a cluster") {
		t.Errorf("of something else: %+v", got)
	}
	if got := command(t, nil, "", "cluster"); got.code != 0 || !strings.Contains(got.stdout, "cluster status") {
		t.Errorf("without a subcommand: %+v", got)
	}
}
