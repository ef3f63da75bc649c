package config

import (
	"time"

	"github.com/doorstep-mail/doorstep/config/internal/reference"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// sections is the description of the configuration file. The first is the document itself.
var sections = []table.Part[Config]{
	table.One(func(c *Config) *Server { return &c.Server }, serverSection),
	table.Many(func(c *Config) *[]Listen { return &c.Listen }, listenSection),
	table.One(func(c *Config) *TLS { return &c.TLS }, tlsSection),
	table.One(func(c *Config) *Auth { return &c.Auth }, authSection),
	table.One(func(c *Config) *Limits { return &c.Limits }, limitsSection),
	table.One(func(c *Config) *Store { return &c.Store }, storeSection),
	table.One(func(c *Config) *Quota { return &c.Quota }, quotaSection),
	table.One(func(c *Config) *State { return &c.State }, stateSection),
	table.One(func(c *Config) *Submission { return &c.Submission }, submissionSection),
	table.One(func(c *Config) *Reports { return &c.Submission.Reports }, reportsSection),
	table.Many(func(c *Config) *[]Domain { return &c.Domains }, domainSection),
	table.Many(func(c *Config) *[]User { return &c.Users }, userSection),
	table.Many(func(c *Config) *[]Alias { return &c.Aliases }, aliasSection),
	table.Many(func(c *Config) *[]Directory { return &c.Directories }, directorySection),
	table.Many(func(c *Config) *[]Rule { return &c.Rules }, ruleSection),
	table.One(func(c *Config) *Control { return &c.Control }, controlSection),
	table.One(func(c *Config) *Admin { return &c.Admin }, adminSection),
	table.One(func(c *Config) *Sandbox { return &c.Sandbox }, sandboxSection),
	table.One(func(c *Config) *Log { return &c.Log }, logSection),
}

// Default returns the default configuration, with comments. It is a configuration that loads.
func Default() string { return reference.Default(table.Descriptions(sections)) }

// Reference returns the description of all keys, in Markdown.
func Reference() string { return reference.Markdown(table.Descriptions(sections)) }

// Schema returns a JSON Schema of the configuration, for editors that help to write TOML. It has the form of each key;
// whether a value makes sense only Load tells.
func Schema() string { return reference.Schema(table.Descriptions(sections)) }

// Man returns the man page doorstep.toml(5), in the man macros. source names the program and its version.
func Man(source string, date time.Time) string {
	return reference.Man(table.Descriptions(sections), source, date)
}

// ParseSize reads a size as the configuration has them, "50MiB" or plain octets.
func ParseSize(s string) (int64, error) { return table.ParseSize(s) }

// FormatSize renders octets in the largest unit that is exact.
func FormatSize(octets int64) string { return table.FormatSize(octets) }
