// Package wheel keeps the deadlines of all connections in one timing wheel, so
// that a million idle connections cost a few list operations each per deadline
// instead of a runtime timer each.
//
// # What it owns
//
// A [Wheel] has one slot per tick and 4,096 of them, each the head of a list of
// [Timer] values that lie inside what they belong to: scheduling and stopping
// are a few pointer writes and allocate nothing. A timer further away than the
// wheel reaches stays in its slot and is looked at once a turn. A bitmap of the
// slots in use finds the next of them, so the wheel sleeps until there may be
// something to do, and for as long as nothing is scheduled.
//
// # Promises
//
//   - A timer fires once per Schedule, never before its time and less than two
//     ticks after it, as long as expirers do not block and the machine is not
//     overloaded. Timers of one tick fire in no particular order.
//   - Expirers run one after the other on the goroutine of [Wheel.Run] and hold
//     no lock of the wheel.
//   - A timer that was scheduled anew, stopped, or released by the end of Run
//     does not fire for what was scheduled before, unless its expirer is already
//     being called.
//   - Everything works before Run begins, when timers only collect, and is
//     harmless after it has ended, when nothing is kept and nothing fires.
//
// # Cost
//
// A million connections with a deadline every 120 s take 0.15 s of one core per
// minute, every 30 s 0.5 s (BenchmarkIdleMinute: 0.3 µs each to fire and schedule
// anew, most of it cache misses). One lock serves two cores with more than ten
// million operations a second, a hundred times what that load asks for, so it is
// not divided.
//
// # Lock order
//
// A wheel has one mutex, held for a bounded number of list operations. Nothing
// is called under it, so any lock may be held while calling a Wheel, and the
// expirer may take any lock.
package wheel
