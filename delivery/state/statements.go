package state

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"
)

// statements are the SQL of one kind of database. A parameter is written ?, whatever the database wants.
type statements struct {
	// table is that of the marks: subject, item, until.
	table string
	// leave is the end of an INSERT that leaves alone what is there.
	leave string
	// sweep removes marks whose time is over: at a time, and how many at most.
	sweep string
	// turn changes a row if it is this node's turn to sweep: the time, when the turn before must have been, and a time
	// that is to come, so that a clock which was wrong does not end it for ever. "": it is always.
	turn string
	// try writes nothing that counts.
	try string
	// numbered parameters are $1, $2 …
	numbered bool
}

// text is a statement as the database wants it.
func (w statements) text(statement string) string {
	if !w.numbered {
		return statement
	}
	parts := strings.Split(statement, "?") // they have none in texts of their own
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// recall returns the items of a subject that are remembered at a time.
func (w statements) recall(
	ctx context.Context, db *sql.DB, subject Key, now time.Time,
) (items map[Key]bool, err error) {
	rows, err := db.QueryContext(ctx, w.text("SELECT item FROM "+w.table+" WHERE subject = ? AND until > ?"), subject[:],
		now.Unix())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	items = map[Key]bool{}
	for rows.Next() {
		var item []byte
		if err := rows.Scan(&item); err != nil {
			return nil, err
		}
		items[Key(item)] = true // the table has no others
	}
	return items, rows.Err()
}

// maxRows is how many rows one statement has: databases bound its parameters, by 32766 at least.
const maxRows = 500

// insert adds marks, and returns how many were not there.
func (w statements) insert(ctx context.Context, tx *sql.Tx, marks []Mark, until int64) (more int64, err error) {
	for len(marks) > 0 {
		some := marks[:min(len(marks), maxRows)]
		marks = marks[len(some):]
		args := make([]any, 0, 3*len(some))
		for i := range some {
			args = append(args, some[i].Subject[:], some[i].Item[:], until)
		}
		n, err := affected(tx.ExecContext(ctx, w.text("INSERT INTO "+w.table+" (subject, item, until) VALUES "+
			strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(some)), ", ")+" "+w.leave), args...))
		if err != nil {
			return 0, err
		}
		more += n
	}
	return more, nil
}

// remove removes the marks of a subject, and returns how many there were.
func (w statements) remove(ctx context.Context, tx *sql.Tx, subject Key) (int64, error) {
	return affected(tx.ExecContext(ctx, w.text("DELETE FROM "+w.table+" WHERE subject = ?"), subject[:]))
}

// count returns how many marks there are.
func (w statements) count(ctx context.Context, db *sql.DB) (n int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM "+w.table).Scan(&n)
	return n, err
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
