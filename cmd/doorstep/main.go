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

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// run is the program as a function: what it is given and what it prints are arguments.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		f = failed(err, "")
	}
	if f.err != nil {
		fmt.Fprintf(stderr, "doorstep: %s\n", address.ReadableLines(f.err.Error()))
	}
	if f.hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", f.hint)
	}
	if _, ok := cmd.Annotations[sysexits]; ok && (f.code == exitFailure || f.code == exitUsage) {
		return exTempFail
	}
	return f.code
}

// A failure is an error with what the person at the terminal can do about it.
type failure struct {
	code int
	err  error // nil when everything has been said
	hint string
}

func (f *failure) Error() string {
	if f.err == nil {
		return "failed"
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// failed is a failure at run time.
func failed(err error, hint string) *failure {
	return &failure{exitFailure, err, hint}
}

// usage is a mistake on the command line or in the configuration.
func usage(err error, hint string) *failure {
	return &failure{exitUsage, err, hint}
}

// rootCommand is the tree of verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "doorstep",
		Short: "Deliver mail from LMTP or ESMTP into Maildirs",
		Long: "Doorstep is the last hop of mail: an MTA hands it a message by LMTP or ESMTP, and it\n" +
			"finds each recipient's mailbox, makes the message durable in that Maildir, and answers\n" +
			"for each recipient.",
		Example:       "  doorstep serve --dev\n  doorstep check -c /etc/doorstep/doorstep.toml\n  doorstep lookup -c /etc/doorstep/doorstep.toml alice@example.org",
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
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
			wantsVerb(cmd)
		}
	}
	complete(root)
	return root
}
