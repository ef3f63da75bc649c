package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/doorstep-mail/doorstep/delivery/database"
)

// NewPostgres returns a store in PostgreSQL, 9.5 or later, for several nodes. It connects to nothing.
func NewPostgres(at database.Server, o Options) (*DB, error) { return newServer(postgres(), at, o) }

func postgres() kind {
	words := serverWords
	words.numbered, words.leave = true, "ON CONFLICT DO NOTHING"
	words.sweep = `DELETE FROM doorstep_mark WHERE (subject, item) IN
		(SELECT subject, item FROM doorstep_mark WHERE until <= ? ORDER BY until LIMIT ?)`
	return kind{
		name: "postgres", open: database.OpenPostgres, words: words,
		tables: []string{
			`CREATE TABLE IF NOT EXISTS doorstep_mark (
				subject bytea  NOT NULL,
				item    bytea  NOT NULL,
				until   bigint NOT NULL, -- seconds since 1970
				PRIMARY KEY (subject, item)
			)`,
			"CREATE INDEX IF NOT EXISTS doorstep_mark_until ON doorstep_mark (until)",
			"CREATE TABLE IF NOT EXISTS doorstep_state (version integer PRIMARY KEY, swept bigint NOT NULL)",
			fmt.Sprintf("INSERT INTO doorstep_state (version, swept) VALUES (%d, 0) ON CONFLICT DO NOTHING", version),
		},
		causeOf: func(err error) cause {
			var e *pgconn.PgError
			if !errors.As(err, &e) {
				return unknown
			}
			switch e.Code { // PostgreSQL's appendix A
			case "42P01":
				return noTable
			case "42501":
				return noRight
			case "40001", "40P01":
				return inConflict
			}
			return unknown
		},
		mayMake: func(ctx context.Context, db *sql.DB) (may bool, err error) {
			err = db.QueryRowContext(ctx, "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)").Scan(&may)
			return may, err
		},
		grantMake: func(_, user string) string { return "GRANT CREATE ON SCHEMA public TO " + user },
		grantUse: func(_, user string) string {
			return "GRANT SELECT, INSERT, UPDATE, DELETE ON " + serverTables + " TO " + user
		},
	}
}
