package journal

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// BenchmarkRecords measures notices that are recorded, sealed one by one and
// committed, as fast as they can be handed over, with a payload of 500 bytes each.
func BenchmarkRecords(b *testing.B) {
	j := open(b, file(b), Options{BufferBytes: 1 << 30})
	l := lane(b, j, hookURL)
	text := make([]byte, 430)
	b.ReportAllocs()
	began := time.Now()
	n := 0
	for b.Loop() {
		n++
		var seq int64
		j.Record(webhook.Record{Events: []webhook.RecordedEvent{{Queue: l.queue, Channel: uint64(n), JSON: text}}},
			func(s int64) { seq = s })
		p := payload(n)
		p.Seq, p.Body = seq, text
		l.Put(p)
		if n%4096 == 0 {
			flush(b, j)
		}
	}
	flush(b, j)
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "records/s")
}

// BenchmarkBatchedRecords is the same with fifty events to a payload, so that
// events are written before they are sealed.
func BenchmarkBatchedRecords(b *testing.B) {
	j := open(b, file(b), Options{BufferBytes: 1 << 30})
	l := lane(b, j, hookURL)
	text := make([]byte, 200)
	b.ReportAllocs()
	began := time.Now()
	n := 0
	for b.Loop() {
		n++
		var seq int64
		j.Record(webhook.Record{Events: []webhook.RecordedEvent{{Queue: l.queue, Channel: uint64(n), JSON: text}}},
			func(s int64) { seq = s })
		if n%50 == 0 {
			p := payload(n)
			p.Seq, p.Body = seq, make([]byte, 10_000)
			l.Put(p)
		}
		if n%4096 == 0 {
			flush(b, j)
		}
	}
	flush(b, j)
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "records/s")
}

// BenchmarkBacklog puts a backlog of payloads of 500 bytes, opens the journal
// again and takes them all. It tells the memory that they take while they wait.
func BenchmarkBacklog(b *testing.B) {
	for _, count := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("payloads=%d", count), func(b *testing.B) {
			if count > 100_000 && os.Getenv("PIPESOCKETD_BENCH_LONG") == "" {
				b.Skip("takes a minute; set PIPESOCKETD_BENCH_LONG")
			}
			for b.Loop() {
				backlog(b, count)
			}
		})
	}
}

func backlog(b *testing.B, count int) {
	b.Helper()
	path := file(b)
	before := heap()
	j := open(b, path, Options{})
	l := lane(b, j, hookURL)
	body := make([]byte, 500)
	began := time.Now()
	for n := range count {
		p := payload(n)
		p.Body = body
		if n%4 == 0 {
			p.Body = append([]byte(nil), body...)
		}
		l.Put(p)
		if n%512 == 0 {
			flush(b, j)
		}
	}
	flush(b, j)
	l.Waiting()
	b.ReportMetric(float64(count)/time.Since(began).Seconds(), "put/s")
	b.ReportMetric((heap()-before)/(1<<20), "MiB-waiting")
	shut(b, j)

	began = time.Now()
	j = open(b, path, Options{})
	b.ReportMetric(time.Since(began).Seconds(), "s-open")
	l = lane(b, j, hookURL)
	began = time.Now()
	for range count {
		l.Done(l.pop())
	}
	flush(b, j)
	b.ReportMetric(float64(count)/time.Since(began).Seconds(), "drained/s")
	shut(b, j)
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
