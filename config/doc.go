// Package config reads Doorstep's configuration: one TOML file and the conf.d/*.toml
// beside it.
//
// Load reports every problem at once, each with the file, line and column it was found at,
// also inside [[array]] tables. Keys are compared exactly, sizes and durations carry their
// unit, relative paths resolve against the file that says them. What a key is called, what
// it takes, what it defaults to and what it is for stands in one table (keys.go): decoding,
// hints for misspelled keys, the default configuration and the reference come from it.
//
// Load looks at nothing but the files themselves. Whether the directories, users and groups
// they name exist on this machine is Config.CheckSystem's question.
package config
