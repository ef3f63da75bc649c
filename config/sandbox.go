package config

import (
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A Sandbox is the [sandbox] table: what the server may still touch when it has started.
type Sandbox struct {
	Enabled bool
	Paths   []string // more directories to write to, absolute
}

var sandboxSection = table.Section[Sandbox]{
	Name: "sandbox",
	Doc: "What the server gives up when it has started (Landlock): it then writes only below the directory that the " +
		"store is in, and where its sockets are, and reads only there, in /etc, and what the configuration names. " +
		"Without it on kernels that have no Landlock. See security.md.",
	Keys: []table.Key[Sandbox]{
		{Name: "enabled", Kind: table.Toggle(func(s *Sandbox) *bool { return &s.Enabled }), Default: "true", Restart: true,
			Doc: "Whether to have the sandbox, and to keep out core dumps and debuggers. There is no sandbox if it cannot " +
				"be known beforehand where mailboxes are, with {home} in store.path or with a [[directory]], unless paths is " +
				"set."},
		{Name: "paths", Kind: table.List("directories", nil, addSandboxPath), Example: `["/home"]`, Restart: true,
			Doc: "More directories to write to. Default: none."},
	},
}

func addSandboxPath(s *Sandbox, v *table.Value, path string) error {
	path, err := v.Absolute(path)
	if err == nil {
		s.Paths = append(s.Paths, path)
	}
	return err
}
