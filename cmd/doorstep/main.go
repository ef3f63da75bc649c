// Doorstep takes mail from an MTA by LMTP or ESMTP and delivers it into Maildirs.
//
// This package is wiring: a file for each verb, which reads flags, calls the packages that do
// the work, and prints. Exit codes are 0, 1 for a failure at run time, and 2 for a mistake in
// the configuration or on the command line; deliver has those of sysexits(3).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/cmd/internal/filter"
	"github.com/doorstep-mail/doorstep/cmd/internal/outgoing"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/spf13/cobra"
)

// init keeps the first thread for the goroutine of main, which waits for the others. The kernel has a signal to the
// process handled by that thread: if it hung in a file system, SIGTERM would wait for that too. In main it would be too
// late, as another thread may run that.
func init() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		runtime.LockOSThread()
	}
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program as a function: what it is given and what it prints are arguments.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "deliver" {
		daemon.FailBySignal()
	}
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return cli.ExitOK
	}
	var f *cli.Failure
	if !errors.As(err, &f) {
		f = cli.Failed(err, "")
	}
	if f.Err != nil {
		fmt.Fprintf(stderr, "doorstep: %s\n", address.ReadableLines(f.Err.Error()))
	}
	if f.Hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", f.Hint)
	}
	if _, ok := cmd.Annotations[sysexits]; ok && (f.Code == cli.ExitFailure || f.Code == cli.ExitUsage) {
		return exTempFail
	}
	return f.Code
}

// rootCommand is the tree of verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "doorstep",
		Short: "Deliver mail from LMTP or ESMTP into Maildirs",
		Long: "Doorstep is the last hop of mail: an MTA hands it a message by LMTP or ESMTP, and it\n" +
			"finds each recipient's mailbox, makes the message durable in that Maildir, and answers\n" +
			"for each recipient.",
		Example: "  doorstep serve --dev\n  doorstep check -c /etc/doorstep/doorstep.toml\n  doorstep lookup -c " +
			"/etc/doorstep/doorstep.toml alice@example.org",
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(cli.WrongFlag)
	root.SetHelpCommand(helpCommand())
	root.AddCommand(
		serveCommand(),
		reloadCommand(),
		upgradeCommand(),
		checkCommand(),
		lookupCommand(),
		deliverCommand(),
		sendCommand(),
		mailboxCommand(),
		outgoing.Command(),
		filter.Command(),
		statusCommand(),
		traceCommand(),
		userCommand(),
		domainCommand(),
		aliasCommand(),
		configCommand(),
		versionCommand(),
		manCommand(),
	)
	root.InitDefaultCompletionCmd()
	for _, cmd := range append(root.Commands(), root) {
		if cmd.HasSubCommands() {
			cli.WantsVerb(cmd)
		}
	}
	cli.Complete(root)
	return root
}

// helpCommand is cobra's, but it fails for a verb that does not exist.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "Print how a verb is used",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var verbs []string
			for _, verb := range about.Commands() {
				if verb.IsAvailableCommand() {
					verbs = append(verbs, verb.Name()+"\t"+verb.Short)
				}
			}
			return verbs, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return cli.UnknownVerb(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
