package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/doorstep-mail/doorstep/delivery/database"
)

// NewMySQL returns a store in MySQL or MariaDB, for several nodes. It connects to nothing.
func NewMySQL(at database.Server, o Options) (*DB, error) { return newServer(mariadb(), at, o) }

func mariadb() kind {
	words := serverWords
	words.leave = "ON DUPLICATE KEY UPDATE until = until" // INSERT IGNORE would ignore more than that
	words.sweep = "DELETE FROM doorstep_mark WHERE until <= ? ORDER BY until LIMIT ?"
	return kind{
		name: "mysql", open: database.OpenMySQL, words: words,
		tables: []string{
			`CREATE TABLE IF NOT EXISTS doorstep_mark (
				subject BINARY(32) NOT NULL,
				item    BINARY(32) NOT NULL,
				until   BIGINT     NOT NULL, -- seconds since 1970
				PRIMARY KEY (subject, item),
				KEY doorstep_mark_until (until)
			) ENGINE = InnoDB`,
			"CREATE TABLE IF NOT EXISTS doorstep_state (version INT PRIMARY KEY, swept BIGINT NOT NULL) ENGINE = InnoDB",
			fmt.Sprintf("INSERT INTO doorstep_state (version, swept) VALUES (%d, 0) ON DUPLICATE KEY UPDATE swept = swept",
				version),
		},
		causeOf: func(err error) cause {
			var e *mysql.MySQLError
			if !errors.As(err, &e) {
				return unknown
			}
			switch e.Number { // MariaDB's "Error Codes"
			case 1146:
				return noTable
			case 1142, 1143, 1044, 1227:
				return noRight
			case 1205, 1213:
				return inConflict
			}
			return unknown
		},
		mayMake: mayMakeInMySQL,
		grantMake: func(database, user string) string {
			return "GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON " + database + ".* TO " + user
		},
		grantUse: func(database, user string) string {
			return "GRANT SELECT, INSERT, UPDATE, DELETE ON " + database + ".* TO " + user
		},
	}
}

// mayMakeInMySQL reads the grants: GRANT SELECT, CREATE ON `mail`.* TO … What a role allows is not known.
func mayMakeInMySQL(ctx context.Context, db *sql.DB) (may bool, err error) {
	rows, err := db.QueryContext(ctx, "SHOW GRANTS")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var grant string
		if err := rows.Scan(&grant); err != nil {
			return false, err
		}
		rights, _, of := strings.Cut(strings.TrimPrefix(grant, "GRANT "), " ON ")
		may = may || !of || rights == "ALL PRIVILEGES" || slices.Contains(strings.Split(rights, ", "), "CREATE")
	}
	return may, rows.Err()
}
