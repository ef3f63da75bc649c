package config

import (
	"log/slog"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A Log is the [log] table.
type Log struct {
	Level  slog.Level
	Format LogFormat
}

// A LogFormat is how a log line is written.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

var logSection = table.Section[Log]{
	Name: "log",
	Doc:  "What is logged, to standard error.",
	Foreign: table.Foreign{
		Keys: []string{
			"destination", "dir", "directory", "facility", "file", "filename", "output", "path", "syslog", "target",
		},
		Hint: "the log goes to standard error, under systemd into the journal; 2>>FILE keeps it in a file",
	},
	Keys: []table.Key[Log]{
		{Name: "level", Default: `"info"`,
			Kind: table.Choice(func(l *Log) *slog.Level { return &l.Level },
				table.Option[slog.Level]{Word: "debug", Means: slog.LevelDebug},
				table.Option[slog.Level]{Word: "info", Means: slog.LevelInfo},
				table.Option[slog.Level]{Word: "warn", Means: slog.LevelWarn},
				table.Option[slog.Level]{Word: "error", Means: slog.LevelError}),
			Doc: "The least serious events that are logged."},
		{Name: "format", Default: `"text"`, Restart: true,
			Kind: table.Word(func(l *Log) *LogFormat { return &l.Format }, LogText, LogJSON),
			Doc:  "Lines of key=value, or one JSON object a line."},
	},
}
