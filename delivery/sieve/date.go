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

// datePart compiles the name of a date part.
func (c *Compiler) datePart(a *syntax.Argument) (func(*Run, time.Time) string, bool) {
	name := c.Text(a)
	if name.IsConstant() {
		part := dateParts[message.Lower(name.constant)]
		if part == nil {
			c.Problem(a.Span, "such as date, time, hour, weekday or iso8601", "unknown part '%s' of a date", name.constant)
		}
		return func(_ *Run, t time.Time) string { return part(t) }, part != nil
	}
	return func(r *Run, t time.Time) string {
		part := dateParts[message.Lower(name.Get(r))]
		if part == nil {
			r.Fail("unknown part '%s' of a date", name.Get(r))
			return ""
		}
		return part(t)
	}, true
}

// zone compiles the time zone in which a date is seen: that of the tag, or the local one.
func (c *Compiler) zone(call *Call) (func(*Run) *time.Location, bool) {
	a := call.Tag("zone")
	if a == nil {
		return func(r *Run) *time.Location { return r.in.Now.Location() }, true
	}
	name := c.Text(a)
	if _, ok := parseZone(name.constant); name.IsConstant() && !ok {
		c.Problem(a.Span, `it is written as "+0100"`, "'%s' is no time zone", name.constant)
		return nil, false
	}
	return func(r *Run) *time.Location {
		zone, ok := parseZone(name.Get(r))
		if !ok {
			return r.in.Now.Location()
		}
		return zone
	}, true
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
	part, okPart := c.datePart(call.Args[1])
	zone, okZone := c.zone(call)
	m := c.Matcher(call, call.Args[2])
	if !ok || !okPart || !okZone || m == nil {
		return nil
	}
	original := call.Has("originalzone")
	return func(r *Run) bool {
		search := m.Search()
		it := s.fields(r)
		for f := it.next(r); f != nil; f = it.next(r) {
			date, ok := f.Date()
			if !ok {
				continue
			}
			if !original {
				date = date.In(zone(r))
			}
			if search.Try(r, part(r, date)) {
				return true
			}
		}
		return search.End(r)
	}
}

func currentdateTest(c *Compiler, call *Call) Test {
	part, ok := c.datePart(call.Args[0])
	zone, okZone := c.zone(call)
	m := c.Matcher(call, call.Args[1])
	if !ok || !okZone || m == nil {
		return nil
	}
	return func(r *Run) bool {
		search := m.Search()
		return search.Try(r, part(r, r.in.Now.In(zone(r)))) || search.End(r)
	}
}
