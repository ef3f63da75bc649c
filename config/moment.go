package config

import "time"

// moment is a date, or a date and time with its zone, in quotes or as TOML has them. A date
// alone stands for the end of that day in UTC: the latest that it can mean.
func moment(at func(r *reader) *time.Time) kind {
	const write = `write "2014-04-03T23:01:00Z", or "2014-04-03"`
	return kind{"a date, or a date and time with its zone", schema{}, func(r *reader, v value) {
		switch data := v.data.(type) {
		case string:
			if t, err := time.Parse(time.RFC3339, data); err == nil && !t.IsZero() {
				*at(r) = t.UTC()
				return
			}
			day, err := time.Parse(time.DateOnly, data)
			if err != nil {
				r.problems.add(v.place(), quote(data)+" is not a date and time", write)
				return
			}
			*at(r) = day.AddDate(0, 0, 1)
		case time.Time:
			// The decoder gives what has no zone one of a name that says so.
			switch data.Location().String() {
			case "date-local":
				*at(r) = time.Date(data.Year(), data.Month(), data.Day()+1, 0, 0, 0, 0, time.UTC)
			case "datetime-local", "time-local":
				r.problems.add(v.place(), "has no zone", write)
			default:
				*at(r) = data.UTC()
			}
		default:
			r.problems.add(v.place(), "must be a date, not "+v.typeName(), write)
		}
	}}
}
