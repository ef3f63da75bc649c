package config

import (
	"errors"
	"os"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Server is what stands at the top of the configuration, outside of tables.
type Server struct {
	// Hostname is how the server names itself, in ASCII: A-labels for U-labels. By default it is the machine's name.
	Hostname string
	// Postmaster is where <Postmaster> without a domain goes (RFC 5321 §4.1.1.3). The zero Address means that there is
	// none, of which Load warns.
	Postmaster address.Address
}

var serverSection = table.Section[Server]{
	Doc: "The server itself.",
	Keys: []table.Key[Server]{
		{Name: "hostname", Kind: table.Text("a host name", setHostname), Example: `"mail.example.org"`,
			Doc: "How the server names itself in greetings and trace fields, where U-labels stand as A-labels. Default: the " +
				"machine's name."},
		{Name: "postmaster", Example: `"postmaster@example.org"`,
			Kind: table.Parsed("an address", parseAddress, func(s *Server) *address.Address { return &s.Postmaster }),
			Doc: "The account that takes mail for <Postmaster> without a domain (RFC 5321 §4.5.1). Default: the first " +
				"domain's postmaster, else its catch-all."},
	},
}

func setHostname(s *Server, _ *table.Value, name string) error {
	_, err := parseDomain(name)
	if problem := (hint.Error{}); errors.As(err, &problem) && problem.Hint == "" {
		problem.Hint = `write a whole name, such as "mail.example.org"`
		return problem
	}
	if err != nil {
		return err
	}
	wire, err := address.WireDomain(name)
	if err != nil {
		return err
	}
	s.Hostname = wire
	if !strings.Contains(name, ".") && name != "localhost" {
		return hint.Warning(hint.Quote(name)+" has no dot: others cannot tell which machine that is",
			`write the whole name, such as "mail.example.org"`)
	}
	return nil
}

// findHostname sets Hostname to its default.
func (s *Server) findHostname(in *table.Input) {
	if in.Value("hostname") != nil {
		return
	}
	const write = `write hostname = "mail.example.org"`
	name, err := os.Hostname()
	if err != nil {
		in.Add("hostname", "ask for the machine's name: "+err.Error(), write)
		return
	}
	if _, err := parseDomain(name); err != nil {
		in.Add("hostname", "the machine's name "+hint.Quote(name)+" is not a host name", write)
		return
	}
	s.Hostname, _ = address.WireDomain(name) // a domain, as parseDomain says
}

// checkPostmaster checks that the postmaster has a mailbox, or finds one.
func (s *Server) checkPostmaster(n *names) {
	if v := n.in.Value("postmaster"); v != nil {
		n.checkExists(v, s.Postmaster)
		return
	}
	const missing = "no mailbox takes mail for the postmaster, who must have one (RFC 5321 §4.5.1)"
	if n.in.Suspect("domain") || n.in.Suspect("user") {
		return
	}
	if len(n.accounts.Domains) == 0 {
		if n.unlisted {
			n.in.Warn("postmaster", missing,
				`write postmaster = "postmaster@example.org", with an address that the directory has`)
		}
		return
	}
	first := n.accounts.Domains[0]
	postmaster := address.Address{Raw: "postmaster@" + first.Name, Local: "postmaster", Domain: first.Name}
	if key, ours, err := n.account(postmaster); err == nil && ours {
		if _, exists := n.owners[key]; exists {
			s.Postmaster = postmaster
			return
		}
	}
	if first.CatchAll.IsNull() && n.hasDirectories() {
		s.Postmaster = postmaster // a directory may have it
		return
	}
	s.Postmaster = first.CatchAll
	if first.CatchAll.IsNull() {
		n.in.Warn("postmaster", missing, "give a user the alias "+hint.Quote(postmaster.Raw))
	}
}
