// Package config reads Doorstep's configuration: one TOML file and the conf.d/*.toml beside it.
//
// Load reports every problem at once, each with the file, line and column it was found at, also inside [[array]]
// tables. Keys are compared exactly, sizes and durations carry their unit, relative paths resolve against the file that
// has them.
//
// Each section has a file of its own, with its struct, its keys, how they are read, and what is checked. A key is one
// row of a table: its name, what it takes, its default and what it is for. Decoding, hints for misspelled keys, the
// default configuration, the reference, the JSON schema and the man page come from it.
//
// To add a key, give the section's struct a field and its Keys a row. If the key depends on others, the section's check
// says so. "go test ./config -update" renders the reference and the expected problems anew; read what it changed. To
// add a driver of directories, give drivers a row, and directoryGroups its keys with a trait of their own.
//
// Load looks at nothing but the files themselves. Whether the directories, users and groups they name exist on this
// machine is Config.CheckSystem's question.
package config
