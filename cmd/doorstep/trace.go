package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/signal"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/admin"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/trace"
	"github.com/spf13/cobra"
)

// traceCommand shows live dialogues of the running server.
func traceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace ADDRESS|PEER",
		Short: "Show live dialogues of the running server",
		Long: "Trace shows what clients and the running server say to one another, from now on until it is\n" +
			"interrupted: the sessions that name an address as sender, recipient or mailbox (also @example.org for a\n" +
			"whole domain), or those of a peer (an IP address, a prefix such as 10.0.0.0/8, or unix).\n" +
			"Content, passwords and what is no command are left out. Mail never waits for it: what comes\n" +
			"too fast to be shown is dropped, and counted.\n\n" +
			"It needs the admin listener, on a Unix socket or with a token.",
		Example: "  doorstep trace alice@example.org\n  doorstep trace @example.org\n  doorstep trace 192.0.2.0/24\n  " +
			"doorstep trace unix",
		Args: cli.OneArgument("ADDRESS or PEER"),
	}
	file := cli.ConfigFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print a JSON object for each line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := trace.Parse(args[0]); err != nil {
			return cli.Usage(err, "write an address, @domain, an IP address, a prefix, or unix")
		}
		client, err := admin.ClientOf(*file, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		ctx, stop := untilInterrupted(cmd.Context())
		defer stop()
		body, err := client.Get(ctx, "/trace", url.Values{"of": {args[0]}})
		if err != nil {
			return err
		}
		defer body.Close()
		err = showTrace(json.NewDecoder(body), cmd.OutOrStdout(), cmd.ErrOrStderr(), *asJSON)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF):
			return cli.Failed(errors.New("the server has ended the trace"), "")
		}
		return cli.Failed(fmt.Errorf("read the trace: %w", err), "")
	}
	return cmd
}

// showTrace prints lines as they come.
func showTrace(lines *json.Decoder, out, stderr io.Writer, asJSON bool) error {
	encoder := json.NewEncoder(out)
	if _, err := io.WriteString(stderr, "watching; interrupt to end\n"); err != nil {
		return err
	}
	for {
		var l trace.Line
		if err := lines.Decode(&l); err != nil {
			return err
		}
		if l.Session == "" {
			continue // nothing new
		}
		var err error
		if asJSON {
			err = encoder.Encode(l)
		} else {
			if l.Dropped > 0 {
				fmt.Fprintf(out, "             … %d lines came too fast to be shown\n", l.Dropped)
			}
			_, err = fmt.Fprintf(out, "%s %s %s %s: %s\n", l.At.Local().Format("15:04:05.000"), l.Session, l.Peer, l.From,
				l.Text)
		}
		if err != nil {
			return err
		}
	}
}

// untilInterrupted ends with ctx, and when the user has seen enough.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
}
