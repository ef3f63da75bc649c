package peer

import (
	"slices"
	"strings"
)

// main returns main.cf. Compared with an ordinary installation nothing touches the content:
// what goes in is what comes out, below one Received field.
func (p *Postfix) main(c PostfixConfig) []string {
	return override([]string{
		"compatibility_level = 3.6",
		"queue_directory = " + p.path("queue"),
		"data_directory = " + p.path("data"),
		"maillog_file = " + p.path("log/mail"),
		"maillog_file_prefixes = " + p.dir,
		"myhostname = mx.example",
		"myorigin = $myhostname",
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"mynetworks = 127.0.0.0/8",
		"smtputf8_enable = yes",
		"message_size_limit = 52428800",
		"mailbox_size_limit = 0",
		// Domains, and where their mail goes.
		"mydestination =",
		"alias_maps =",
		"alias_database =",
		"local_recipient_maps =",
		"relay_domains =",
		"virtual_mailbox_domains = " + strings.Join(c.Domains, ", "),
		"virtual_mailbox_maps =",
		"virtual_transport = " + c.Deliver,
		"default_transport = error:5.4.4 no relaying",
		"smtpd_relay_restrictions = reject_unauth_destination",
		// No DNS.
		"smtp_dns_support_level = disabled",
		"lmtp_dns_support_level = disabled",
		"smtpd_peername_lookup = no",
		// Content as it came: without these, header fields of local clients are completed and
		// some are dropped.
		"local_header_rewrite_clients =",
		"message_drop_headers =",
		// As fast as can be, so that nothing here is what a measurement measures.
		"in_flow_delay = 0",
		"smtpd_client_connection_count_limit = 0",
		"anvil_rate_time_unit = 1s",
		"smtpd_error_sleep_time = 0",
		"minimal_backoff_time = 1s",
		"maximal_backoff_time = 2s",
		"queue_run_delay = 1s",
	}, c.Params)
}

// override adds lines "name = value" and drops those of the same name, over which Postfix's
// tools would complain.
func override(lines, by []string) []string {
	name := func(line string) string {
		n, _, _ := strings.Cut(line, "=")
		return strings.TrimSpace(n)
	}
	kept := slices.DeleteFunc(lines, func(line string) bool {
		return slices.ContainsFunc(by, func(b string) bool { return name(b) == name(line) })
	})
	return append(kept, by...)
}

// services returns master.cf: all in the queue directory without chroot, as sockets of tests
// lie elsewhere.
func (p *Postfix) services() []string {
	return []string{
		p.Addr + " inet n - n - - smtpd",
		"pickup   unix n - n 60  1 pickup",
		"cleanup  unix n - n -   0 cleanup",
		"qmgr     unix n - n 300 1 qmgr",
		"rewrite  unix - - n -   - trivial-rewrite",
		"bounce   unix - - n -   0 bounce",
		"defer    unix - - n -   0 bounce",
		"trace    unix - - n -   0 bounce",
		"verify   unix - - n -   1 verify",
		"flush    unix n - n 1000? 0 flush",
		"proxymap unix - - n -   - proxymap",
		"showq    unix n - n -   - showq",
		"error    unix - - n -   - error",
		"retry    unix - - n -   - error",
		"discard  unix - - n -   - discard",
		"smtp     unix - - n -   - smtp",
		"lmtp     unix - - n -   - lmtp",
		"anvil    unix - - n -   1 anvil",
		"scache   unix - - n -   1 scache",
		"tlsmgr   unix - - n 1000? 1 tlsmgr",
		"postlog  unix-dgram n - n - 1 postlogd",
	}
}
