package main

import (
	"strings"
	"time"
)

const (
	// withinContenders is who takes part when time is short: those whom the targets compare,
	// and "none", which no durability can exceed.
	withinContenders = "group,single,quota,owners,sqlite,dovecot,floor,none"
	// shortestPeriod is the least that says something.
	shortestPeriod = 300 * time.Millisecond
	// startShare is the part of a case's time that is not measuring: starting, growing, settling.
	startShare = 0.45
)

// periods adds a period to those that a text tells of: the shortest and the longest.
func periods(text string, another time.Duration) string {
	another = another.Round(100 * time.Millisecond)
	from, to, ranged := strings.Cut(text, " to ")
	least, err := time.ParseDuration(from)
	if err != nil {
		return another.String()
	}
	most := least
	if ranged {
		most, _ = time.ParseDuration(to) // it is ours
	}
	least, most = min(least, another), max(most, another)
	if least == most {
		return least.String()
	}
	return least.String() + " to " + most.String()
}

// periodFor is how long a round of the next case may take, when so many cases are left.
func (b *bench) periodFor(c Case, left int) time.Duration {
	if b.within == 0 {
		return b.period
	}
	rest := time.Until(b.deadline) / time.Duration(max(left, 1))
	rounds := 0
	for _, who := range contenders(b.options) {
		if c.wants(who.name) {
			rounds += b.options.rounds + 1 // and that of the details
		}
	}
	return min(max(time.Duration(float64(rest)*(1-startShare))/time.Duration(max(rounds, 1)), shortestPeriod), b.period)
}
