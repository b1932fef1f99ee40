package main

import "math"

// scale maps values to a coordinate.
type scale struct {
	log      bool
	least    float64
	most     float64
	from, to float64 // coordinates of least and most
}

func (s *scale) at(v float64) float64 {
	least, most := s.least, s.most
	if s.log {
		v, least, most = math.Log(v), math.Log(least), math.Log(most)
	}
	if most == least {
		return (s.from + s.to) / 2
	}
	return s.from + (s.to-s.from)*(v-least)/(most-least)
}

// ticksWanted is how many steps an axis has at most.
const ticksWanted = 6

// fitted returns a scale that holds all values, of which there is at least one,
// and where its ticks are: from 0 on a linear scale, at 1, 2 and 5 times powers
// of ten on a logarithmic one. A linear scale holds what is below 0 too.
func fitted(values []float64, log bool, from, to float64) (s scale, ticks []float64) {
	least, most := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	s = scale{log: log, from: from, to: to}
	if log {
		ticks = logTicks(least, most)
	} else {
		ticks = linearTicks(min(least, 0), max(most, 0))
	}
	s.least, s.most = ticks[0], ticks[len(ticks)-1]
	return s, ticks
}

func linearTicks(least, most float64) (ticks []float64) {
	if least == most {
		return []float64{0, 1}
	}
	step := niceStep(most-least, ticksWanted)
	first, last := math.Floor(least/step+1e-9), math.Ceil(most/step-1e-9)
	for i := first; i <= last; i++ {
		ticks = append(ticks, i*step)
	}
	return ticks
}

// logTicks is for values above 0: 1, 2 and 5 times powers of ten around them, or
// the powers alone if that would be too many.
func logTicks(least, most float64) (ticks []float64) {
	factors, most := []float64{1, 2, 5}, most*(1-1e-9)
	if most/least > 1e3 {
		factors = factors[:1]
	}
	first := int(math.Floor(math.Log10(least)+1e-9)) * len(factors)
	tick := func(i int) float64 {
		power := int(math.Floor(float64(i) / float64(len(factors))))
		return factors[i-power*len(factors)] * math.Pow10(power)
	}
	for tick(first+1) <= least*(1+1e-9) {
		first++
	}
	for i := first; ; i++ {
		ticks = append(ticks, tick(i))
		if tick(i) >= most && len(ticks) > 1 {
			return ticks
		}
	}
}
