package lmtp

import (
	"regexp"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// rcptRRVS takes the time since which the mailbox must have had one owner (RFC 7293 §3).
// Whether it has is the Handler's to say.
//
//	"RRVS=" date-time [ ";" ( "C" / "R" ) ]
//
// What is after the semicolon tells relays what to do where the next hop has no RRVS, and
// this is the last.
func (o offer) rcptRRVS(r *Recipient, p parameter) Reply {
	stamp, action, marked := strings.Cut(p.value, ";")
	since, ok := parseDateTime(stamp)
	if !ok || marked && !wire.EqualFold(action, "C") && !wire.EqualFold(action, "R") {
		return badArgument("RRVS takes a date and time")
	}
	r.ValidSince = since
	return Reply{}
}

func (o offer) offersRRVS() bool { return o.server.Extensions.RRVS }

// dateTime is the date-time of RFC 3339 §5.6 without a fraction of a second: the date and
// the time to the minute, the second, the zone.
var dateTime = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:)(\d\d)(Z|[+-]\d\d:\d\d)$`)

// parseDateTime reads a date-time. A leap second, which the time package does not know, is
// the second before it and one more.
func parseDateTime(s string) (time.Time, bool) {
	part := dateTime.FindStringSubmatch(wire.Upper(s))
	if part == nil {
		return time.Time{}, false
	}
	second, leap := part[2], time.Duration(0)
	if second == "60" {
		second, leap = "59", time.Second
	}
	t, err := time.Parse(time.RFC3339, part[1]+second+part[3])
	if err != nil || t.IsZero() {
		return time.Time{}, false
	}
	return t.Add(leap), true
}
