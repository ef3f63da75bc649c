package main

import (
	"fmt"
	"strings"
)

// A target is what a figure is held against.
type target struct {
	what string
	want float64
	unit func(float64) string
	most bool // want is the most, not the least
	of   func(r *Report) float64
	// unsynced is the figure of the same server without a sync, which no durability can exceed; nil: it does not matter.
	unsynced func(r *Report) float64
}

// targets are the aims of the project. What was not measured is left open.
var targets = []target{
	fasterThanDovecot("1 session, rate of Dovecot's", 3, "many-1"),
	fasterThanDovecot("16 sessions, rate of Dovecot's", 5, "many-16"),
	cheaperThanDovecot("16 sessions, Dovecot's processor time of ours", 8, "many-16"),
	fasterThanDovecot("64 sessions, rate of Dovecot's", 8, "many-64"),
	cheaperThanDovecot("64 sessions, Dovecot's processor time of ours", 10, "many-64"),
	atLeast("64 sessions, Dovecot's memory of ours", 3, against("many-64", "dovecot", "group", memory)),
	fasterThanDovecot("16 sessions into one mailbox, rate of Dovecot's", 12, "one"),
	atLeast("50 recipients × 100 KiB, `single_copy`, rate of Dovecot's", 6, against("fanout", "single", "dovecot", rate)),
	fasterThanDovecot("50 recipients × 100 KiB, rate of Dovecot's", 2, "fanout"),
	atLeast("1 session, rate of the floor's", 0.6, against("many-1", "group", "floor", rate)),
	atLeast("16 sessions, rate of the floor's", 0.6, against("many-16", "group", "floor", rate)),
	atLeast("64 sessions, rate of the floor's", 0.6, against("many-64", "group", "floor", rate)),
	atLeast("slow disk, 1 session, rate of the floor's", 0.9, against("slow-1", "group", "floor", rate)),
	atLeast("slow disk, 16 sessions, rate of the floor's", 0.9, against("slow-16", "group", "floor", rate)),
	atLeast("slow disk, 64 sessions, rate of the floor's", 0.9, against("slow-64", "group", "floor", rate)),
	atLeast("16 sessions, with quotas, rate of that without", 0.9, against("many-16", "quota", "group", rate)),
	atLeast("16 sessions into one mailbox, with a quota, rate of that without", 0.9,
		against("one", "quota", "group", rate)),
	atLeast("16 sessions, accounts in SQLite, rate of those in the configuration", 0.9,
		against("many-16", "sqlite", "group", rate)),
	atLeast("16 sessions × 25 MiB, rate of the floor's", 0.8, against("bulk-16", "group", "floor", rate)),
	atMost("16 sessions × 25 MiB, memory", 64*mib, size, alone("bulk-16", "group", memory)),
	atMost("10,000 idle connections, memory", 320*mib, size, alone("idle-10000", "group", memory)),
	atLeast("mailbox of 1,000,000 files, rate of that with 1,000", 0.9, grownBy("grown-1000000", "grown-1000")),
	atMost("4 KB message through `lmtp`, heap allocations", 9, plain, func(r *Report) float64 { return r.Allocations }),
}

func atLeast(what string, want float64, of func(*Report) float64) target {
	return target{what: what, want: want, unit: times, of: of}
}

func atMost(what string, want float64, unit func(float64) string, of func(*Report) float64) target {
	return target{what: what, want: want, unit: unit, most: true, of: of}
}

// fasterThanDovecot holds our rate against Dovecot's.
func fasterThanDovecot(what string, want float64, name string) target {
	t := atLeast(what, want, against(name, "group", "dovecot", rate))
	t.unsynced = against(name, "none", "dovecot", rate)
	return t
}

// cheaperThanDovecot holds Dovecot's processor time against ours.
func cheaperThanDovecot(what string, want float64, name string) target {
	t := atLeast(what, want, against(name, "dovecot", "group", cpu))
	t.unsynced = against(name, "dovecot", "none", cpu)
	return t
}

func rate(r *Result) float64   { return r.Rate }
func cpu(r *Result) float64    { return r.CPU }
func memory(r *Result) float64 { return float64(r.Memory) }

func size(n float64) string  { return octets(int64(n)) }
func plain(n float64) string { return fmt.Sprintf("%.0f", n) }

// alone returns a figure of one contender; 0 where it was not measured.
func alone(name, who string, figure func(*Result) float64) func(*Report) float64 {
	return func(r *Report) float64 {
		for _, c := range r.Cases {
			if result := c.of(who); c.Name == name && result != nil && result.Missing == "" {
				return figure(result)
			}
		}
		return 0
	}
}

// against compares figures of two contenders in one case.
func against(name, who, other string, figure func(*Result) float64) func(*Report) float64 {
	return quotient(alone(name, who, figure), alone(name, other, figure))
}

// grownBy compares our rates in two cases.
func grownBy(name, other string) func(*Report) float64 {
	return quotient(alone(name, "group", rate), alone(other, "group", rate))
}

func quotient(a, b func(*Report) float64) func(*Report) float64 {
	return func(r *Report) float64 {
		if b(r) == 0 {
			return 0
		}
		return a(r) / b(r)
	}
}

// met says how a figure stands to its target.
func (t target) met(figure float64) string {
	switch {
	case figure == 0:
		return "not measured"
	case t.most && figure <= t.want, !t.most && figure >= t.want:
		return "yes"
	}
	return "**no**"
}

// targetTable holds what was measured against the targets.
func targetTable(b *strings.Builder, r *Report) {
	b.WriteString("\n### Targets\n\n| | target | measured | met | without any sync |\n|---|--:|--:|---|--:|\n")
	for _, t := range targets {
		bound := "≥ "
		if t.most {
			bound = "≤ "
		}
		unsynced := ""
		if t.unsynced != nil {
			unsynced = t.shown(t.unsynced(r))
		}
		figure := t.of(r)
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", t.what, bound+t.unit(t.want), t.shown(figure), t.met(figure), unsynced)
	}
}

// shown is a figure in its unit.
func (t target) shown(figure float64) string {
	if figure == 0 {
		return "–"
	}
	return t.unit(figure)
}
