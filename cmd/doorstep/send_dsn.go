package main

import (
	"errors"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/spf13/pflag"
)

// A sendDSN is what the flags of send say of reports (RFC 3461).
type sendDSN struct {
	notify, ret, envelopeID string
	originals               []string
}

func (d *sendDSN) flags(flags *pflag.FlagSet) {
	flags.StringVar(&d.notify, "notify", "", "ask for reports: never, or any of `success,failure,delay`")
	flags.Var(&cli.Choice{Word: &d.ret, Words: []string{"full", "hdrs"}}, "ret",
		"what a report of failure brings back: `full` or hdrs")
	flags.StringVar(&d.envelopeID, "envid", "", "an `identifier` that reports bring back")
	flags.StringArrayVar(&d.originals, "orcpt", nil,
		"the `address` that the sender named; once, or once for each --to in the same order")
}

// check finds mistakes that need no server.
func (d *sendDSN) check(recipients int) error {
	if n := len(d.originals); n > 1 && n != recipients {
		return cli.Usage(errors.New("send: --orcpt is there neither once nor once for each --to"),
			"write it as often as --to, in the same order")
	}
	return nil
}

// recipients are the addresses with what the flags ask for each.
func (d *sendDSN) recipients(to []string) []client.Recipient {
	list := client.To(to...)
	for i := range list {
		list[i].Notify = d.notify
		switch len(d.originals) {
		case 0:
		case 1:
			list[i].Original = typed(d.originals[0])
		default:
			list[i].Original = typed(d.originals[i])
		}
	}
	return list
}

// typed puts the type before an address that has none.
func typed(addr string) string {
	kind, _, ok := strings.Cut(addr, ";")
	switch {
	case ok && !strings.ContainsAny(kind, `@"`):
		return addr
	case strings.ContainsFunc(addr, func(r rune) bool { return r > '~' }):
		return "utf-8;" + addr
	}
	return "rfc822;" + addr
}
