package config_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// refusing is a handler that takes no mail.
type refusing struct{}

func (refusing) Mail(context.Context, *lmtp.Session, *lmtp.Envelope) (lmtp.Transaction, error) {
	return nil, errors.New("no mail is taken")
}

// TestDefaultsAreThoseOfTheParts: what the reference says of a key that is not set is what the protocol and the
// mailboxes do without one.
func TestDefaultsAreThoseOfTheParts(t *testing.T) {
	c := load(t, filepath.Join(testdata, "good", "minimal.toml"))
	s := &lmtp.Server{Handler: refusing{}}
	ours, client := net.Pipe()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	s.ServeConn(ours) // which sets what is zero to its default
	var store mailbox.Options
	for key, values := range map[string][2]any{
		"limits.message_size":           {c.Limits.MessageSize, s.Limits.MessageSize},
		"limits.recipients":             {c.Limits.Recipients, s.Limits.Recipients},
		"limits.connections":            {c.Limits.Connections, s.Limits.Connections},
		"limits.transactions":           {c.Limits.Transactions, s.Limits.Transactions},
		"limits.idle_timeout":           {c.Limits.IdleTimeout, s.Timeouts.Idle},
		"limits.data_timeout":           {c.Limits.DataTimeout, s.Timeouts.Data},
		"limits.transfer_timeout":       {c.Limits.TransferTimeout, s.Timeouts.Transfer},
		"limits.transaction_timeout":    {c.Limits.TransactionTimeout, s.Timeouts.Transaction},
		"limits.deliveries_per_mailbox": {c.Limits.DeliveriesPerMailbox, mailbox.DefaultPerMailbox},
		"listen.bare_lf":                {c.Listen[0].NormalizeBareLF, s.Syntax.NormalizeBareLF},
		"listen.bare_cr":                {c.Listen[0].RefuseBareCR, s.Syntax.RefuseBareCR},
		"listen.mt_priority":            {c.Listen[0].MTPriority, s.Extensions.MTPriority},
		"listen.proxy_protocol":         {c.Listen[0].ProxyProtocol, s.Peers.ProxyProtocol},
		"store.durability":              {c.Store.Durability, store.Durability},
		"store.newline":                 {c.Store.CRLF, store.CRLF},
		"store.single_copy":             {c.Store.SingleCopy, store.SingleCopy},
		"quota.trash":                   {c.Quota.CountTrash, store.CountTrash},
	} {
		if values[0] != values[1] {
			t.Errorf("%s is %v by default, and %v without a configuration", key, values[0], values[1])
		}
	}
}
