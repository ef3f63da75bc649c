package sql

// Queries find what a directory is asked for. Named parameters are those of Parameters; columns
// are found by their names.
type Queries struct {
	// User gives the account with an address: address; and, each as far as it is known, home,
	// mailbox, quota (octets), messages, uid, gid, active, disabled, owner_since, eai.
	User string
	// Alias gives the targets of an alias: address, target; active. "" for none.
	Alias string
	// CatchAll does the same for the address @domain. "" where Alias does.
	CatchAll string
	// Domain gives a domain: name; alias_of, active, backupmx. "" for none.
	Domain string
}

// Preset gives the queries for the tables of a project, and whether it is known.
func Preset(schema string) (Queries, bool) {
	q, ok := presets[schema]
	return q, ok
}

// presets know the tables of projects that manage accounts. They are written in what PostgreSQL
// and MySQL have in common, and yes and no are understood where the rows are read: a column that
// is a boolean here is a number there. Domains are there in either form, addresses in lower case.
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
	// mailcow: quotas in octets; what is active is 1, or 2 where nobody may log in. Locations and
	// things have rows too, and no mail.
	"mailcow": {
		User: `SELECT username AS address, quota, active
			FROM mailbox WHERE username IN (:address, :address_unicode) AND kind NOT IN ('location', 'thing', 'group')`,
		Alias: `SELECT address, goto AS target, active
			FROM alias WHERE address IN (:address, :address_unicode)`,
		Domain: `SELECT domain AS name, NULL AS alias_of, active, backupmx FROM domain WHERE domain IN (:domain, :domain_unicode)
			UNION ALL
			SELECT alias_domain, target_domain, active, NULL FROM alias_domain WHERE alias_domain IN (:domain, :domain_unicode)`,
	},
	// iRedMail: quotas in MiB, a path out of four columns, a row for each target; a mailbox has
	// a row for itself, and a catch-all is a row for the domain's name. An account that may not
	// have mail delivered is as good as switched off.
	"iredmail": {
		User: `SELECT username AS address, CONCAT(storagebasedirectory, '/', storagenode, '/', TRIM(TRAILING '/' FROM maildir)) AS home,
				CONCAT(storagebasedirectory, '/', storagenode, '/', TRIM(TRAILING '/' FROM maildir), '/', mailboxfolder) AS mailbox,
				CAST(quota AS DECIMAL(20,0)) * 1048576 AS quota,
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
	// Modoboa: quotas in MiB; a mailbox is active when its user is. Domains that are relayed are
	// of another type. Aliases may end.
	"modoboa": {
		User: `SELECT CONCAT(m.address, '@', d.name) AS address, CAST(m.quota AS DECIMAL(20,0)) * 1048576 AS quota, u.is_active AS active
			FROM admin_mailbox m JOIN admin_domain d ON d.id = m.domain_id JOIN core_user u ON u.id = m.user_id
			WHERE m.address = :local AND d.name IN (:domain, :domain_unicode)`,
		Alias: `SELECT a.address, r.address AS target, a.enabled AS active
			FROM admin_alias a JOIN modoboa_admin_aliasrecipient r ON r.alias_id = a.id
			WHERE a.address IN (:address, :address_unicode) AND (a.expire_at IS NULL OR a.expire_at > CURRENT_TIMESTAMP)`,
		Domain: `SELECT name, NULL AS alias_of, enabled AS active, CASE WHEN type = 'domain' THEN 0 ELSE 1 END AS backupmx
				FROM admin_domain WHERE name IN (:domain, :domain_unicode)
			UNION ALL
			SELECT a.name, d.name, a.enabled, NULL
				FROM admin_domainalias a JOIN admin_domain d ON d.id = a.target_id WHERE a.name IN (:domain, :domain_unicode)`,
	},
}
