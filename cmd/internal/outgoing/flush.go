package outgoing

import (
	"errors"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/spf13/cobra"
)

func flushCommand() *cobra.Command {
	return cli.OrderVerb(&cobra.Command{
		Use:   "flush",
		Short: "Have the running server try all that waits now",
		Long: "Flush has the running server try every entry of its outbox now, however long it would have waited for\n" +
			"the next attempt: after the MTA was repaired, for one. It returns at once; doorstep outbox list and the\n" +
			"log say what came of it.",
		Example: "  doorstep outbox flush",
	}, func(r daemon.FlushReport) error {
		if r.Error != "" {
			return cli.Failed(errors.New("flush: "+r.Error), r.Hint)
		}
		return nil
	})
}
