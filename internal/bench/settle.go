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

// hush waits until a number of the engine's has stayed the same for as long as servers
// have to be steady.
func (r *run) hush(ctx context.Context, f *fleet, number *uint64) error {
	begin := now()
	var last uint64
	for since := begin; now()-since < int64(r.o.Settle); {
		if err := r.hold(ctx, f, settleEvery); err != nil {
			return err
		}
		f.engine.do(func() {
			if *number != last {
				last, since = *number, now()
			}
		})
		if now()-begin > int64(r.o.Settle+maxSettle) {
			r.result.warn("frames of the beginning still came after %s", r.o.Settle+maxSettle)
			return nil
		}
	}
	return nil
}
