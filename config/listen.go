package config

import (
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/auth"
)

// A Listen is one [[listen]] table.
type Listen struct {
	// Network and Address are what net.Listen takes: "unix" and an absolute path, or "tcp" and host:port. With
	// "systemd", Address is the name of the sockets that systemd opened.
	Network, Address string
	Protocol         Protocol

	// Mode, Owner and Group are those of the socket file; zero on tcp. Owner and Group are names or numbers (UserID,
	// GroupID), "" to leave them as they are created.
	Mode         fs.FileMode
	Owner, Group string
	// Peers are the users who may connect, by SO_PEERCRED; nil leaves it to Mode.
	Peers []string

	// TLS says when TLS begins; always TLSOff on unix.
	TLS TLSMode
	// RequireCertificate takes mail only from clients whose certificate is accepted.
	RequireCertificate bool
	// Auth are the mechanisms to offer (package auth); nil for none.
	Auth []string
	// RequireAuth takes mail only from clients that have authenticated.
	RequireAuth bool

	// Connections is the limit of this listener, never 0.
	Connections int
	// NormalizeBareLF makes a line end of a bare line feed in content, which is refused otherwise.
	NormalizeBareLF bool
	// RefuseBareCR refuses content with a bare carriage return, which is kept otherwise.
	RefuseBareCR bool
	// Lenient8BitLocalPart says from whom addresses in UTF-8 are taken without SMTPUTF8.
	Lenient8BitLocalPart Leniency

	// TrustedNets, on tcp, and TrustedUsers, on unix, are the peers that may speak for others.
	TrustedNets  []netip.Prefix
	TrustedUsers []string
	// ProxyProtocol demands the PROXY header from trusted peers, and refuses all others.
	ProxyProtocol bool
	// MTPriority offers MT-PRIORITY (RFC 6710).
	MTPriority bool
	// DSN offers delivery status notifications (RFC 3461). It is false without an MTA to give reports to.
	DSN bool
}

// A Protocol is what a listener speaks.
type Protocol string

// The protocols of a listener.
const (
	LMTP  Protocol = "lmtp"
	ESMTP Protocol = "esmtp"
)

// A Leniency says from which peers addresses in UTF-8 are taken though they did not ask for SMTPUTF8.
type Leniency int

// The peers that a listener is lenient to.
const (
	LenientToKnown Leniency = iota // peers on Unix sockets, and trusted ones
	LenientToAll
	LenientToNone
)

var listenSection = table.Section[Listen]{
	Name: "listen",
	Doc:  "A socket to take mail on. At least one is needed.",
	Keys: []table.Key[Listen]{
		{Name: "address", Kind: table.Text("unix:PATH, tcp:HOST:PORT or systemd:NAME", setSocketAddress),
			Example: `"unix:/run/doorstep/lmtp.sock"`, Required: true, Restart: true,
			Doc: "Where to listen. systemd:NAME takes the sockets that systemd opened and gave that name " +
				"(FileDescriptorName of a socket unit)."},
		{Name: "protocol", Default: `"lmtp"`,
			Kind: table.Word(func(l *Listen) *Protocol { return &l.Protocol }, LMTP, ESMTP),
			Doc: "LMTP answers for each recipient on its own; prefer it where the sender speaks it. LMTP is refused on TCP " +
				"port 25 (RFC 2033 §5)."},
		{Name: "mode", Kind: table.Mode(func(l *Listen) *fs.FileMode { return &l.Mode }), Default: `"0660"`, Restart: true,
			Doc: "Unix sockets: the mode of the socket file."},
		{Name: "owner", Example: `"doorstep"`, Restart: true,
			Kind: table.Parsed("a user", parsePrincipal, func(l *Listen) *string { return &l.Owner }),
			Doc:  "Unix sockets: the owner of the socket file. Default: the user who runs the server."},
		{Name: "group", Example: `"postfix"`, Restart: true,
			Kind: table.Parsed("a group", parsePrincipal, func(l *Listen) *string { return &l.Group }),
			Doc:  "Unix sockets: the group of the socket file. Default: the group that runs the server."},
		{Name: "peers", Kind: table.ParsedList("users",
			table.NotEmpty("no client could connect", "leave it out to let in whom the mode lets in"),
			parsePrincipal, func(l *Listen) *[]string { return &l.Peers }),
			Example: `["postfix", "root"]`,
			Doc: "Unix sockets: the users who may connect, as the kernel reports them (SO_PEERCRED). Default: those whom " +
				"the mode permits."},
		{Name: "connections", Example: "1000",
			Kind: table.Count(1, 1_000_000, func(l *Listen) *int { return &l.Connections }),
			Doc:  "Connections open at once on this socket. Default: limits.connections."},
		{Name: "bare_lf", Default: `"reject"`,
			Kind: table.Either(func(l *Listen) *bool { return &l.NormalizeBareLF }, "reject", "normalize"),
			Doc:  "A line feed without carriage return in a message: reject it with 554 5.6.0, or normalize it to a line end."},
		{Name: "bare_cr", Default: `"keep"`,
			Kind: table.Either(func(l *Listen) *bool { return &l.RefuseBareCR }, "keep", "reject"),
			Doc:  "A carriage return without line feed in a message: keep it as data, or reject it with 554 5.6.0."},
		{Name: "lenient_8bit_localpart", Example: "true",
			Kind: table.Switch(func(l *Listen) *Leniency { return &l.Lenient8BitLocalPart }, LenientToAll, LenientToNone),
			Doc: "Take addresses in UTF-8 without SMTPUTF8, against RFC 6531 §3.5: Postfix sends such where an alias " +
				"leads to an internationalized address. With false they are refused with 5.6.7. Default: true on Unix " +
				"sockets, and for trusted peers. See smtputf8.md."},
		{Name: "trusted", Example: `["postfix"]`,
			Kind: table.List("addresses and prefixes, or users",
				table.NotEmpty("no peer would be trusted", "leave it out"), addTrusted),
			Doc: "The peers that may speak for others (XCLIENT, XFORWARD, PROXY header) and set high priorities: addresses " +
				"and prefixes such as \"10.0.0.0/8\" on TCP, users on Unix sockets. What they claim is logged and grants " +
				"no rights. Default: none."},
		{Name: "proxy_protocol", Kind: table.Toggle(func(l *Listen) *bool { return &l.ProxyProtocol }), Default: "false",
			Doc: "Demand the PROXY header of HAProxy, version 1 or 2, at the beginning of each connection, and from trusted " +
				"peers only. The address in it is then the client's, also for trusted and limits.connections_per_peer."},
		{Name: "mt_priority", Kind: table.Toggle(func(l *Listen) *bool { return &l.MTPriority }), Default: "false",
			Doc: "Offer MT-PRIORITY (RFC 6710): priorities are logged and written into the trace field."},
		{Name: "dsn", Kind: table.Toggle(func(l *Listen) *bool { return &l.DSN }), Example: "false",
			Doc: "Offer delivery status notifications (RFC 3461), so that a sender who asks for it gets a report when the " +
				"message is in the mailbox. false is for a client that reports by itself though it is offered. Default: true " +
				"with [submission]."},
		{Name: "tls", Default: `"off"`,
			Kind: table.Word(func(l *Listen) *TLSMode { return &l.TLS }, TLSOff, TLSStart, TLSRequired, TLSImplicit),
			Doc: "TCP: starttls offers STARTTLS, required takes no mail before it, implicit begins with TLS. Needs [tls]. " +
				"See tls-and-auth.md."},
		{Name: "require_certificate", Default: "false",
			Kind: table.Toggle(func(l *Listen) *bool { return &l.RequireCertificate }),
			Doc:  "TLS: take mail only from clients with a certificate of an authority in tls.client_ca."},
		{Name: "auth", Kind: table.List("mechanisms out of "+hint.AnyOf(auth.Mechanisms),
			table.NotEmpty("no mechanism is no authentication", "leave it out"), addMechanism),
			Example: `["SCRAM-SHA-256", "PLAIN"]`,
			Doc: "Offer AUTH: PLAIN under TLS and on Unix sockets only, EXTERNAL to clients with a certificate and to users " +
				"of Unix sockets. All but EXTERNAL need auth.passwd_file. Default: no AUTH."},
		{Name: "require_auth", Kind: table.Toggle(func(l *Listen) *bool { return &l.RequireAuth }), Default: "false",
			Doc: "Take mail only from clients that have authenticated."},
	},
}

// addTrusted takes an address, a prefix, or the name of a user. Which of them it may be on this listener checkTrusted
// says.
func addTrusted(l *Listen, _ *table.Value, s string) error {
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" {
			return hint.New(hint.Quote(s)+" has a zone, which addresses of peers are compared without", "")
		}
		addr = addr.Unmap()
		l.TrustedNets = append(l.TrustedNets, netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	if strings.Contains(s, "/") {
		prefix, err := netip.ParsePrefix(s)
		switch {
		case err != nil || prefix.Addr().Is4In6():
			return hint.New(hint.Quote(s)+" is not a prefix of addresses", `write "10.0.0.0/8"`)
		case prefix != prefix.Masked():
			return hint.New(hint.Quote(s)+" has bits beyond its length", "write "+hint.Quote(prefix.Masked().String()))
		}
		l.TrustedNets = append(l.TrustedNets, prefix)
		return nil
	}
	user, err := parsePrincipal(s)
	if err == nil {
		l.TrustedUsers = append(l.TrustedUsers, user)
	}
	return err
}

// A listener is a [[listen]] table, with what the files say in it.
type listener struct {
	*Listen
	table.Table
}

// checkListeners checks what the keys of the listeners say of one another, and of other sections.
func checkListeners(in *table.Input, listeners []Listen, limits Limits, tls TLS, a Auth) {
	if len(listeners) == 0 && !in.Suspect("listen") {
		in.Add("listen", "no [[listen]] table", `write [[listen]] and address = "unix:/run/doorstep/lmtp.sock"`)
	}
	first := map[string]*table.Value{}
	for i := range listeners {
		l := listener{&listeners[i], in.Element("listen", i)}
		if l.Network == "" {
			continue // a problem already
		}
		l.checkAddress(first)
		switch l.Network {
		case "tcp":
			l.checkTCP()
		case "systemd":
			l.refuseFileKeys("is for the socket unit to say", "write SocketMode, SocketUser or SocketGroup there",
				"mode", "owner", "group")
		}
		l.checkConnections(limits)
		l.checkTrusted()
		l.checkTLS(in, tls)
		l.checkAuth(in, tls, a)
	}
}

// checkAddress refuses an address that a listener before it has. first are the addresses so far.
func (l listener) checkAddress(first map[string]*table.Value) {
	v, key := l.Value("address"), l.Network+":"+canonicalAddress(l.Listen)
	before := first[key]
	switch {
	case l.Network == "tcp" && strings.HasSuffix(key, ":0"):
		v.Warn("port 0 is another port at each start", "")
	case before != nil:
		v.Add("already listened on by "+before.Key+" at "+before.Where(), "")
	default:
		first[key] = v
	}
}

// checkTCP refuses what makes no sense for TCP, and LMTP where it does harm.
func (l listener) checkTCP() {
	l.refuseFileKeys("is for Unix sockets only", "", "mode", "owner", "group", "peers")
	host, port, err := net.SplitHostPort(canonicalAddress(l.Listen))
	if l.Protocol != LMTP || err != nil {
		return
	}
	if port == "25" {
		l.Value("address").Add("LMTP must not be on port 25 (RFC 2033 §5)", `write another port, or protocol = "esmtp"`)
		return
	}
	if ip, err := netip.ParseAddr(host); isThisMachine(host) || err == nil && (ip.IsPrivate() || ip.IsLinkLocalUnicast()) {
		return
	}
	l.Value("address").Warn("LMTP is not for wide area networks (RFC 2033 §1), and this address is not known to be "+
		"loopback or private", "")
}

// refuseFileKeys refuses keys about the file of a socket if the server makes none.
func (l listener) refuseFileKeys(text, suggestion string, names ...string) {
	for _, name := range names {
		if v := l.Value(name); v != nil {
			v.AddKey(text, suggestion)
		}
	}
	l.Mode = 0
}

// checkConnections sets a listener's limit to its default.
func (l listener) checkConnections(limits Limits) {
	v := l.Value("connections")
	if v == nil {
		l.Connections = limits.Connections
		return
	}
	if limits.Connections > 0 && l.Connections > limits.Connections {
		v.Warn("is more than limits.connections, "+strconv.Itoa(limits.Connections)+
			", which holds for all listeners together", "")
	}
}

// checkTrusted checks that trusted peers can be known on this kind of socket, and that there are some if they are
// needed.
func (l listener) checkTrusted() {
	v := l.Value("trusted")
	switch {
	case v != nil && l.Network == "tcp" && len(l.TrustedUsers) > 0:
		v.Add("users are known on Unix sockets only: "+hint.Quote(l.TrustedUsers[0]),
			`write addresses, such as "127.0.0.1"`)
	case v != nil && l.Network == "unix" && len(l.TrustedNets) > 0:
		v.Add("a Unix socket has no addresses: "+l.TrustedNets[0].String(), `write users, such as "postfix"`)
	}
	if header := l.Value("proxy_protocol"); header != nil && l.ProxyProtocol && v == nil {
		header.AddKey("needs trusted: no other client may send the header", `write trusted = ["127.0.0.1"]`)
	}
}

// checkLeniency warns of listeners that refuse internationalized accounts of the configuration when an alias in the MTA
// leads there: the MTA hands the account's address over, and the client that wrote to the alias asked for nothing.
func (n *names) checkLeniency(listeners []Listen) {
	i := slices.IndexFunc(n.addresses, func(a ownAddress) bool { return !a.address.IsASCII() })
	if i < 0 {
		return
	}
	for at, l := range listeners {
		if l.Network != "tcp" || l.Lenient8BitLocalPart != LenientToKnown || len(l.TrustedNets) > 0 {
			continue
		}
		n.in.Element("listen", at).Value("address").Warn("an alias in the MTA that leads to "+
			hint.Quote(n.addresses[i].address.Raw)+" is refused here with 5.6.7: MTAs hand that over without SMTPUTF8",
			"write lenient_8bit_localpart = true, or name the MTA in trusted")
	}
}
