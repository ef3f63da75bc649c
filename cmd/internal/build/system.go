package build

import (
	"log/slog"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/system"
)

func openSystem(d config.Directory, key directory.Keyer, _ *slog.Logger) (directory.Directory, error) {
	return system.Open(system.Options{
		Domains: d.System.Domains, Key: key, File: d.File, Canary: d.System.Canary, RefusedShells: d.System.RefusedShells,
		Timeout:  d.Timeout,
		FirstUID: uint32(d.System.FirstUID), LastUID: uint32(d.System.LastUID),
	})
}
