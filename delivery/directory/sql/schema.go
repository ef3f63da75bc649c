package sql

import "strings"

// Queries find what a directory is asked for. Named parameters are those of Parameters; columns
// are found by their names.
type Queries struct {
	// User returns the account with an address: address; and, each as far as it is known, home,
	// mailbox, prefix (directory.Account.Prefix), format (of the mailbox: only a Maildir can be written), quota
	// (octets), messages, uid, gid, active, disabled, owner_since, eai.
	User string
	// Alias returns the targets of an alias: address, target; active. "" for none.
	Alias string
	// CatchAll does the same for the address @domain. "" where Alias does.
	CatchAll string
	// Domain returns a domain: name; alias_of, active, backupmx. "" for none.
	Domain string
	// Iterate returns all accounts, in the columns of User. It has no parameters. "" for none.
	Iterate string
}

// Preset returns the queries for the tables of a project, and whether it is known.
func Preset(schema string) (Queries, bool) {
	q, ok := presets[schema]
	if ok {
		q.Iterate = anyAccount.Replace(q.User) + " ORDER BY address"
	}
	return q, ok
}

// anyAccount takes the condition for the account with an address out of a preset's query.
var anyAccount = strings.NewReplacer(
	"username IN (:address, :address_unicode)", "1 = 1",
	"domain_key = :domain AND local_key = :local", "1 = 1",
	"m.address = :local AND d.name IN (:domain, :domain_unicode)", "1 = 1",
)

// presets know the tables of projects that manage accounts, and find what the project's own Dovecot
// finds: the same accounts, and their mail in the same place. They are written in what PostgreSQL
// and MySQL have in common, that of PostfixAdmin in SQLite's SQL too, and yes and no are understood where the
// rows are read: a column that is a boolean here is a number there. Domains are there in either form, addresses
// in lower case.
var presets = map[string]Queries{
	// Ours finds by keys. The other columns are as the administrator wrote them.
	"doorstep": {
		User: `SELECT address, home, mailbox, quota, messages, uid, gid, disabled, owner_since, eai, local_key, domain_key
			FROM account WHERE domain_key = :domain AND local_key = :local`,
		Alias:  `SELECT address, target, local_key, domain_key FROM alias WHERE domain_key = :domain AND local_key = :local`,
		Domain: `SELECT name, alias_of FROM domain WHERE domain_key = :domain`,
	},
	// PostfixAdmin: each mailbox has an alias for itself, which its forwards are added to. The
	// quota is in octets. A domain that is an alias has a row in domain too.
	"postfixadmin": {
		User: `SELECT username AS address, maildir AS mailbox, quota, active
			FROM mailbox WHERE username IN (:address, :address_unicode)`,
		Alias: `SELECT address, goto AS target, active
			FROM alias WHERE address IN (:address, :address_unicode)`,
		Domain: `SELECT domain AS name, NULL AS alias_of, active, backupmx FROM domain WHERE domain IN (:domain, :domain_unicode)
			UNION ALL
			SELECT alias_domain, target_domain, active, NULL FROM alias_domain WHERE alias_domain IN (:domain, :domain_unicode)`,
	},
	// mailcow: quotas in octets; what is active is 1, or 2 where login is not allowed. Locations and
	// things have rows too, and no mail. A mailbox is below a path of its own, in a format that its attributes (JSON)
	// say; with either of them NULL, Dovecot is given no place and takes the home. The path that all have is
	// where the store is, wherever that is mounted. Of a domain that is relayed but for its mailboxes
	// (relay_unknown_only) Postfix hands these over.
	"mailcow": {
		User: `SELECT username AS address, quota, active, JSON_VALUE(attributes, '$.mailbox_format') AS format,
				CASE WHEN JSON_VALUE(attributes, '$.mailbox_format') IS NOT NULL THEN NULLIF(mailbox_path_prefix, '/var/vmail/') END AS prefix,
				CASE WHEN mailbox_path_prefix IS NULL OR JSON_VALUE(attributes, '$.mailbox_format') IS NULL
					THEN CONCAT(domain, '/', local_part) END AS mailbox
			FROM mailbox WHERE username IN (:address, :address_unicode) AND kind NOT IN ('location', 'thing', 'group')`,
		Alias: `SELECT address, goto AS target, active
			FROM alias WHERE address IN (:address, :address_unicode)`,
		Domain: `SELECT domain AS name, NULL AS alias_of, active,
				CASE WHEN relay_all_recipients = 1 AND relay_unknown_only = 1 THEN 0 ELSE backupmx END AS backupmx
			FROM domain WHERE domain IN (:domain, :domain_unicode)
			UNION ALL
			SELECT alias_domain, target_domain, active, NULL FROM alias_domain WHERE alias_domain IN (:domain, :domain_unicode)`,
	},
	// iRedMail: quotas in MiB, a path out of four columns, a row for each target; a mailbox has
	// a row for itself, and a catch-all is a row for the domain's name. An account that may not
	// have mail delivered is as good as switched off. The home is in lower case, whatever the columns say, the
	// folder in it is not, and an empty one is Maildir.
	"iredmail": {
		User: `SELECT username AS address, LOWER(CONCAT(storagebasedirectory, '/', storagenode, '/', maildir)) AS home,
				CONCAT(LOWER(CONCAT(storagebasedirectory, '/', storagenode, '/', maildir)), '/',
					COALESCE(NULLIF(mailboxfolder, ''), 'Maildir')) AS mailbox, mailboxformat AS format,
				CASE WHEN quota < 0 THEN quota ELSE CAST(quota AS DECIMAL(20,0)) * 1048576 END AS quota,
				CASE WHEN active = 1 AND enabledeliver = 1 AND enablelmtp = 1 THEN 1 ELSE 0 END AS active
			FROM mailbox WHERE username IN (:address, :address_unicode)`,
		Alias: `SELECT address, forwarding AS target, active
			FROM forwardings WHERE address IN (:address, :address_unicode) AND (is_list = 1 OR is_alias = 1)`,
		CatchAll: `SELECT CONCAT('@', address) AS address, forwarding AS target, active
			FROM forwardings WHERE address IN (:domain, :domain_unicode)`,
		Domain: `SELECT domain AS name, NULL AS alias_of, active, backupmx FROM domain WHERE domain IN (:domain, :domain_unicode)
			UNION ALL
			SELECT alias_domain, target_domain, active, NULL FROM alias_domain WHERE alias_domain IN (:domain, :domain_unicode)`,
	},
	// Modoboa: quotas in MiB. A user who is not active cannot log in, and has mail all the same; an account that only
	// sends is as good as none, though there is an alias of the same name for it. Domains that are relayed are
	// of another type; in one that has mailboxes Postfix relays only what is for others. Aliases may end.
	"modoboa": {
		User: `SELECT CONCAT(m.address, '@', d.name) AS address, CAST(m.quota AS DECIMAL(20,0)) * 1048576 AS quota,
				CASE WHEN m.is_send_only THEN 'unknown' END AS disabled
			FROM admin_mailbox m JOIN admin_domain d ON d.id = m.domain_id JOIN core_user u ON u.id = m.user_id
			WHERE m.address = :local AND d.name IN (:domain, :domain_unicode)`,
		Alias: `SELECT a.address, r.address AS target, a.enabled AS active
			FROM admin_alias a JOIN modoboa_admin_aliasrecipient r ON r.alias_id = a.id
			WHERE a.address IN (:address, :address_unicode) AND (a.expire_at IS NULL OR a.expire_at > CURRENT_TIMESTAMP)`,
		Domain: `SELECT name, NULL AS alias_of, enabled AS active, CASE WHEN type = 'domain'
					OR EXISTS (SELECT 1 FROM admin_mailbox WHERE domain_id = admin_domain.id) THEN 0 ELSE 1 END AS backupmx
				FROM admin_domain WHERE name IN (:domain, :domain_unicode)
			UNION ALL
			SELECT a.name, d.name, a.enabled, NULL
				FROM admin_domainalias a JOIN admin_domain d ON d.id = a.target_id WHERE a.name IN (:domain, :domain_unicode)`,
	},
}
