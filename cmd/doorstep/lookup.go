package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// lookupCommand explains what would happen to an address.
func lookupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lookup ADDRESS",
		Short: "Explain where mail for an address goes",
		Long: "Lookup prints each step from an address to its mailbox, and the reply that RCPT would get.\n" +
			"It asks the same directories as the server, and touches no mail.\n\n" +
			"It exits with 0 when the address would be accepted, and with 1 when not.",
		Example: "  doorstep lookup alice+news@example.org\n  doorstep lookup --json 用户@例え.example",
		Args:    oneArgument("ADDRESS"),
	}
	file := configFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := loadConfig(*file, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		found, err := lookup(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			err = encoder.Encode(found)
		} else {
			err = found.print(cmd.OutOrStdout())
		}
		if err == nil && !found.Accepted {
			err = &failure{code: exitFailure}
		}
		return err
	}
	return cmd
}

// A lookupResult is what lookup prints; its JSON form is for programs.
type lookupResult struct {
	Address  string       `json:"address"`
	Steps    []lookupStep `json:"steps"`
	Account  string       `json:"account,omitempty"`
	Detail   string       `json:"detail,omitempty"`
	Maildir  string       `json:"maildir,omitempty"`
	Quota    int64        `json:"quota,omitempty"`
	Reply    string       `json:"reply"`
	Accepted bool         `json:"accepted"`
}

// A lookupStep is a delivery.Step with the names it has in JSON.
type lookupStep struct {
	Rule   string `json:"rule"`
	Input  string `json:"input"`
	Result string `json:"result"`
}

// lookup resolves an address as RCPT would.
func lookup(ctx context.Context, c *config.Config, text string) (*lookupResult, error) {
	to, err := address.ParseForwardPath(text, true)
	if err != nil {
		return nil, usage(fmt.Errorf("address %q: %w", text, err), "write it as local@domain, without angle brackets")
	}
	resolver, err := buildResolver(c)
	if err != nil {
		return nil, failed(err, "doorstep check tells what is wrong with the configuration")
	}
	result := &lookupResult{Address: text}
	found, err := resolver.Explain(ctx, to, func(s delivery.Step) { result.Steps = append(result.Steps, lookupStep(s)) })
	if account := found.Account; account != nil {
		result.Account, result.Detail, result.Quota = account.Address, found.Detail, account.Quota
		dest, destErr := delivery.Layout(c.Store.Path).Dest(account)
		if destErr != nil {
			return nil, failed(destErr, "give the account a home")
		}
		result.Maildir = path.Join(dest.Root, dest.Path)
	}
	result.Accepted = err == nil
	result.Reply = replyText(err)
	return result, nil
}

// replyText is the reply that RCPT gets for the outcome of a lookup.
func replyText(err error) string {
	if err == nil {
		return "250 2.1.5 recipient ok"
	}
	if e := (*lmtp.Error)(nil); errors.As(err, &e) {
		return strconv.Itoa(e.Code) + " " + e.Enhanced + " " + e.Text
	}
	return "451 4.3.0 local error, try again later"
}

// print shows the steps as a table, and what came of them.
func (r *lookupResult) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range r.Steps {
		fmt.Fprintf(table, "%s\t%s\t→ %s\n", s.Rule, s.Input, s.Result)
	}
	for _, row := range [][2]string{{"account", r.Account}, {"detail", r.Detail}, {"maildir", r.Maildir}} {
		if row[1] != "" {
			fmt.Fprintf(table, "%s\t= %s\n", row[0], row[1])
		}
	}
	if r.Quota > 0 {
		fmt.Fprintf(table, "quota\t= %d octets\n", r.Quota)
	}
	fmt.Fprintf(table, "reply\t= %s\n", r.Reply)
	return table.Flush()
}
