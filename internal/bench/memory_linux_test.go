package bench

import (
	"os"
	"testing"
)

func TestParseMemory(t *testing.T) {
	rollup := "00400000-7fff p 0 00:00 0 [rollup]\nRss:               15216 kB\nPss_Anon:           1 kB\nAnonymous:          2956 kB\nAnonHugePages:         0 kB\n"
	want := memory{rss: 15216 << 10, anonymous: 2956 << 10, file: 12260 << 10}
	if m, err := parseRollup([]byte(rollup)); err != nil || m != want {
		t.Errorf("rollup: %+v, %v", m, err)
	}
	status := "Name:\tVmRSS: 7 kB\nVmRSS:\t   15216 kB\nRssAnon:\t    2956 kB\nRssFile:\t   12260 kB\n"
	if m, err := parseStatus([]byte(status)); err != nil || m != want {
		t.Errorf("status: %+v, %v", m, err)
	}
	for _, bad := range []string{"", "Rss: 5 kB\n", "Rss: x kB\nAnonymous: 1 kB\n", "Rss: 5 MB\nAnonymous: 1 kB\n", "Rss: 5 kB\nAnonymous: 6 kB\n"} {
		if m, err := parseRollup([]byte(bad)); err == nil {
			t.Errorf("rollup %q was read as %+v", bad, m)
		}
	}
	if m, err := parseStatus([]byte("RssAnon: 5 kB\n")); err == nil {
		t.Errorf("a status without VmRSS was read as %+v", m)
	}
}

func TestProcessMemory(t *testing.T) {
	m, err := processMemory(os.Getpid())
	if err != nil || m.rss < 1<<20 || m.anonymous == 0 || m.anonymous+m.file != m.rss {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := processMemory(1 << 30); err == nil {
		t.Error("a process that is not there has memory")
	}
}
