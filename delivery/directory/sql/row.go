package sql

import (
	db "database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// maxRows bounds what one query may give: as many as an alias may have targets, and some.
const maxRows = 1000

// A row is what a query gave, by the names of the columns in lower case. NULL is not there.
type row map[string]any

// ErrNoColumn says that a query has not the columns that its answers are understood by.
var ErrNoColumn = errors.New("the query returns no")

// eachRow calls see with all rows, until it fails. Columns that are needed are missed also where there is no row: a
// name that is unknown to a query which could find none is not unknown.
func eachRow(rows *db.Rows, needs []string, see func(row) error) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
		columns[i] = strings.ToLower(columns[i])
	}
	for _, name := range needs {
		if !slices.Contains(columns, name) {
			return fmt.Errorf("%w %s", ErrNoColumn, name)
		}
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		r := row{}
		for i, name := range columns {
			if values[i] != nil {
				r[name] = values[i]
			}
		}
		if err := see(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// text is a column as text, "" where it is not there.
func (r row) text(column string) string {
	switch v := r[column].(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	default:
		return fmt.Sprint(v)
	}
}

// need is the text of a column that must be there.
func (r row) need(column string) (string, error) {
	if _, ok := r[column]; !ok {
		return "", fmt.Errorf("%w %s", ErrNoColumn, column)
	}
	return r.text(column), nil
}

// number is a column as a number, 0 where it is not there or empty.
func (r row) number(column string) (int64, error) {
	text := strings.TrimSpace(r.text(column))
	if text == "" {
		return 0, nil
	}
	text, _, _ = strings.Cut(text, ".") // a numeric or float column
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a number", column, r.text(column))
	}
	return n, nil
}

// yes is a column as a boolean, in any of the ways in which databases have them; otherwise is
// for one that is not there.
func (r row) yes(column string, otherwise bool) (bool, error) {
	switch text := strings.ToLower(strings.TrimSpace(r.text(column))); text {
	case "":
		return otherwise, nil
	case "true", "t", "yes", "y", "on":
		return true, nil
	case "false", "f", "no", "n", "off":
		return false, nil
	default:
		n, err := strconv.ParseInt(text, 10, 64) // some projects have more than one kind of active
		if err != nil || n < 0 {
			return false, fmt.Errorf("%s is %q, not yes or no", column, r.text(column))
		}
		return n != 0, nil
	}
}

// moment is a column as a time. A date alone stands for its end, as in the configuration.
func (r row) moment(column string) (time.Time, error) {
	if v, ok := r[column].(time.Time); ok {
		return v.UTC(), nil
	}
	text := strings.TrimSpace(r.text(column))
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is %q, not a date or time", column, text)
	}
	return day.AddDate(0, 0, 1), nil
}

// storedKey is the key that the row was found by, where it says so.
func (r row) storedKey() (directory.Key, bool) {
	_, ok := r["local_key"]
	return directory.Key{Local: r.text("local_key"), Domain: r.text("domain_key")}, ok
}
