package bench

import "context"

// settle waits until the servers' resident memory has been steady for as long as
// the options say, and returns since when, on the clock of now. It waits for
// nothing if they say 0 or no process is known.
func (r *run) settle(ctx context.Context, f *fleet) (since int64, err error) {
	begin := now()
	if r.o.Settle == 0 || len(r.o.PIDs) == 0 {
		return begin, nil
	}
	s := settling{window: r.o.Settle}
	for now()-begin < int64(r.o.Settle+maxSettle) {
		m, err := memoryOf(r.o.PIDs)
		if err != nil {
			return 0, err
		}
		if s.add(now(), m.rss) {
			return s.since(), nil
		}
		if err := r.hold(ctx, f, settleEvery); err != nil {
			return 0, err
		}
	}
	r.result.warn("the server's memory did not settle within %s", r.o.Settle+maxSettle)
	return s.since(), nil
}
