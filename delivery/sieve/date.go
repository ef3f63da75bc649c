package sieve

import (
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// date and currentdate (RFC 5260 §4, §5).
func dateExtension() *Extension {
	return &Extension{
		Name: "date", Standard: "RFC 5260",
		Definitions: []*Definition{
			{
				Name: "date",
				Tags: []Tag{{Name: "zone", Group: "zone", Kind: syntax.String}, {Name: "originalzone", Group: "zone"}},
				Params: []Param{
					{"header name", syntax.String}, {"date part", syntax.String}, {"key list", syntax.List},
				},
				Compares: true,
				Test:     dateTest,
			},
			{
				Name:     "currentdate",
				Tags:     []Tag{{Name: "zone", Group: "zone", Kind: syntax.String}},
				Params:   []Param{{"date part", syntax.String}, {"key list", syntax.List}},
				Compares: true,
				Test:     currentdateTest,
			},
		},
	}
}

// dateParts are what a script may ask of a date (RFC 5260 §4.2).
var dateParts = map[string]func(time.Time) string{
	"year":    layout("2006"),
	"month":   layout("01"),
	"day":     layout("02"),
	"date":    layout("2006-01-02"),
	"hour":    layout("15"),
	"minute":  layout("04"),
	"second":  layout("05"),
	"time":    layout("15:04:05"),
	"iso8601": layout("2006-01-02T15:04:05-07:00"),
	"std11":   layout("Mon, 02 Jan 2006 15:04:05 -0700"),
	"zone":    layout("-0700"),
	"weekday": func(t time.Time) string { return decimal(int(t.Weekday())) },
	"julian":  julian,
}

func layout(l string) func(time.Time) string {
	return func(t time.Time) string { return t.Format(l) }
}

// julian is the Modified Julian Day: the days since 17 November 1858.
func julian(t time.Time) string {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return decimal(int(day.Sub(time.Date(1858, 11, 17, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour)))
}

// datePart compiles the name of a date part. In a run it is nil where there is no such part: the test is false then, as
// in Pigeonhole.
func (c *Compiler) datePart(a *syntax.Argument) func(*Run) func(time.Time) string {
	name := c.Text(a)
	if name.IsConstant() {
		part := dateParts[message.Lower(name.constant)]
		if part == nil {
			c.problems.Warn(a.Span, "such as date, time, hour, weekday or iso8601",
				"a date has no part '%s': the test is never true", name.constant)
		}
		return func(*Run) func(time.Time) string { return part }
	}
	return func(r *Run) func(time.Time) string {
		part := dateParts[message.Lower(name.Get(r))]
		if part == nil {
			r.warn("a date has no part '" + name.Get(r) + "'")
		}
		return part
	}
}

// zone compiles the time zone in which a date is seen: that of the tag, or the local one.
func (c *Compiler) zone(call *Call) func(*Run) *time.Location {
	a := call.Tag("zone")
	if a == nil {
		return func(r *Run) *time.Location { return r.in.Now.Location() }
	}
	name := c.Text(a)
	if _, ok := parseZone(name.constant); name.IsConstant() && !ok {
		c.problems.Warn(a.Span, `it is written as "+0100"`, "'%s' is no time zone: the local one is taken", name.constant)
	}
	return func(r *Run) *time.Location {
		zone, ok := parseZone(name.Get(r))
		if !ok {
			return r.in.Now.Location()
		}
		return zone
	}
}

func parseZone(s string) (*time.Location, bool) {
	t, err := time.Parse("-0700", s)
	if err != nil {
		return nil, false
	}
	_, offset := t.Zone()
	return time.FixedZone("", offset), true
}

func dateTest(c *Compiler, call *Call) Test {
	s, ok := c.selection(call, call.Args[0])
	partOf, zone := c.datePart(call.Args[1]), c.zone(call)
	m := c.Matcher(call, call.Args[2])
	if !ok || m == nil {
		return nil
	}
	original := call.Has("originalzone")
	return func(r *Run) bool {
		part := partOf(r)
		if part == nil {
			return false
		}
		search := m.Search()
		it := s.fields(r)
		for f := it.next(r); f != nil; f = it.next(r) {
			if !r.spend(costDate) {
				return false
			}
			date, ok := f.Date()
			if !ok {
				continue
			}
			if !original {
				date = date.In(zone(r))
			}
			if search.Try(r, part(date)) {
				return true
			}
		}
		return search.End(r)
	}
}

func currentdateTest(c *Compiler, call *Call) Test {
	partOf, zone := c.datePart(call.Args[0]), c.zone(call)
	m := c.Matcher(call, call.Args[1])
	if m == nil {
		return nil
	}
	return func(r *Run) bool {
		part := partOf(r)
		if part == nil {
			return false
		}
		search := m.Search()
		return search.Try(r, part(r.in.Now.In(zone(r)))) || search.End(r)
	}
}
