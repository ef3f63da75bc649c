package build

import (
	"crypto/tls"
	"log/slog"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/sender"
	"github.com/doorstep-mail/doorstep/delivery/submit"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// Outbox is where reports wait for the MTA. It is not ready yet. Its files have the server's own name: that stays the
// same where a container has another one at each start.
func Outbox(c *config.Config, w *observe.Observers, log *slog.Logger) (*outbox.Box, error) {
	s := c.Submission
	return outbox.New(outbox.Options{
		Dir: s.Outbox, Host: c.Hostname, Entries: s.Messages, Octets: s.Octets, Expire: s.Expire, Withdraw: s.Withdraw,
		PerSender: s.Reports.PerSender, Log: log, Hooks: w.Outbox(),
	})
}

// Report has an agent promise reports of success, and keep them in a box.
func Report(a *delivery.Agent, c *config.Config, box *outbox.Box) {
	a.Reports = delivery.Reports{Outbox: box, Header: int(c.Submission.Reports.Header)}
}

var submissionTLS = map[config.SubmissionTLS]client.TLSMode{
	config.SubmissionClear:    client.TLSOff,
	config.SubmissionStartTLS: client.TLSRequired,
	config.SubmissionImplicit: client.TLSImplicit,
}

// Sender is what sends reports by the MTA of a configuration, which has one.
func Sender(c *config.Config) (*sender.Sender, error) {
	s := c.Submission
	server := submit.Server{
		Target: s.Target(),
		Options: client.Options{
			Hello: c.Hostname, Timeout: s.Timeout, FinalTimeout: 4 * s.Timeout, TLS: submissionTLS[s.TLS],
		},
		AtOnce: s.Connections,
	}
	if s.CA != "" {
		authorities, err := keypair.Authorities(s.CA)
		if err != nil {
			return nil, err
		}
		server.Options.TLSConfig = &tls.Config{RootCAs: authorities}
	}
	if s.User != "" {
		server.Login = func() (*client.Login, error) {
			password, err := config.ReadPassword(s.PasswordFile)
			return &client.Login{User: s.User, Password: password}, err
		}
	}
	return &sender.Sender{Server: submit.New(server), Hostname: c.Hostname, From: c.Submission.Reports.From}, nil
}
