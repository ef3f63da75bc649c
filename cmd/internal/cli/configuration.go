package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// DefaultConfig is where the configuration is looked for.
const DefaultConfig = "/etc/doorstep/doorstep.toml"

// ConfigFlag adds -c to a verb.
func ConfigFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", DefaultConfig, "the configuration `file`")
}

// LoadConfig loads the configuration and prints what is wrong with it. It fails when the
// configuration cannot be used.
func LoadConfig(path string, stderr io.Writer) (*config.Config, error) {
	c, problems, err := config.Load(path)
	if err != nil {
		return nil, Usage(err, Unreadable(path, err))
	}
	PrintProblems(stderr, problems)
	if config.HasErrors(problems) {
		return nil, Usage(fmt.Errorf("%s cannot be used", path), "doorstep check tells all that is wrong with it")
	}
	return c, nil
}

// Unreadable is what can be done about a configuration that cannot be read.
func Unreadable(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "-c FILE says where it is; doorstep config default prints one to begin with"
	case errors.Is(err, fs.ErrPermission):
		return "do it as root, or as the user who runs the server, who must be able to read " + path
	case errors.Is(err, syscall.EISDIR):
		return "name the file in it, such as " + filepath.Join(path, filepath.Base(DefaultConfig))
	}
	return "-c FILE says where the configuration is"
}

// PrintProblems writes a line for each problem, with its place and hint.
func PrintProblems(w io.Writer, problems []config.Problem) {
	for _, p := range problems {
		fmt.Fprintln(w, address.Readable(p.String()))
	}
}
