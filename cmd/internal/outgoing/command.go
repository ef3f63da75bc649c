// Package outgoing has the verbs below outbox: they show what waits to be handed to an MTA, have it tried now, and
// remove it.
package outgoing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon/privilege"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

// Command is the verb outbox.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "outbox",
		Short: "Show, send and remove reports that wait for the MTA",
	}
	cmd.AddCommand(listCommand(), showCommand(), flushCommand(), removeCommand())
	return cmd
}

// rights is what the help of verbs says about who may use them.
const rights = "Run it as the user who runs the server, or as root, who then acts as the owner of the outbox."

// verb makes cmd one that is about the outbox of a configuration. Where there is none yet, nothing waits.
func verb(cmd *cobra.Command, do func(cmd *cobra.Command, c *config.Config, args []string) error) *cobra.Command {
	file := cli.ConfigFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := cli.LoadConfig(*file, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		if err := becomeOwner(c.Submission.Outbox); err != nil {
			return cli.Failed(err, "")
		}
		return do(cmd, c, args)
	}
	return cmd
}

// becomeOwner has root act with the rights of the directory's owner from here on. What is in the directory, and where
// its links lead, is that user's to say.
func becomeOwner(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return privilege.Become(int(owner.Uid), int(owner.Gid), []int{int(owner.Gid)})
}

// failed is a failure about the entry of a name.
func failed(name, dir string, err error) *cli.Failure {
	suggestion := ""
	switch {
	case errors.Is(err, outbox.ErrNoEntry):
		suggestion = "doorstep outbox list has their names; one that is gone was sent, or given up, as the log says"
		if meant := hint.Closest(name, names(dir)); meant != "" {
			suggestion = "did you mean " + address.Readable(meant) + "?"
		}
	case errors.Is(err, outbox.ErrBeingSent):
		suggestion = "try again in a minute"
	default:
		suggestion = whyNotRead(err)
	}
	return cli.Failed(fmt.Errorf("%s: %w", address.Readable(name), err), suggestion)
}

// whyNotRead is what can be done about an outbox that cannot be read.
func whyNotRead(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "do it as root, or as the user who runs the server"
	}
	return ""
}

// names are those of all entries, as far as they can be read.
func names(dir string) (list []string) {
	files, err := outbox.List(dir)
	if err != nil {
		return nil
	}
	for _, f := range files {
		list = append(list, f.Name)
	}
	return list
}
