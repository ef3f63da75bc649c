CREATE TABLE domain (
    domain varchar(255) NOT NULL DEFAULT '' PRIMARY KEY, description text NOT NULL DEFAULT '',
    disclaimer text NOT NULL DEFAULT '',
    maxquota int8 NOT NULL DEFAULT 0, quota int8 NOT NULL DEFAULT 0, transport varchar(255) NOT NULL DEFAULT 'dovecot',
    backupmx int2 NOT NULL DEFAULT 0, settings text NOT NULL DEFAULT '',
    created timestamp NOT NULL DEFAULT now(),
    modified timestamp NOT NULL DEFAULT now(), expired timestamp NOT NULL DEFAULT '9999-12-31 01:01:01',
    active int2 NOT NULL DEFAULT 1
);
CREATE TABLE alias_domain (
    alias_domain varchar(255) NOT NULL PRIMARY KEY, target_domain varchar(255) NOT NULL,
    created timestamp NOT NULL DEFAULT now(), modified timestamp NOT NULL DEFAULT now(),
    active int2 NOT NULL DEFAULT 1
);
CREATE TABLE mailbox (
    username varchar(255) NOT NULL PRIMARY KEY, password varchar(255) NOT NULL DEFAULT '',
    name varchar(255) NOT NULL DEFAULT '',
    mailboxformat varchar(50) NOT NULL DEFAULT 'maildir', mailboxfolder varchar(50) NOT NULL DEFAULT 'Maildir',
    storagebasedirectory varchar(255) NOT NULL DEFAULT '', storagenode varchar(255) NOT NULL DEFAULT '',
    maildir varchar(255) NOT NULL DEFAULT '',
    quota int8 NOT NULL DEFAULT 0, domain varchar(255) NOT NULL DEFAULT '', transport varchar(255) NOT NULL DEFAULT '',
    enablesmtp int2 NOT NULL DEFAULT 1, enablesmtpsecured int2 NOT NULL DEFAULT 1, enablepop3 int2 NOT NULL DEFAULT 1,
    enablepop3secured int2 NOT NULL DEFAULT 1,
    enablepop3tls int2 NOT NULL DEFAULT 1, enableimap int2 NOT NULL DEFAULT 1,
    enableimapsecured int2 NOT NULL DEFAULT 1, enableimaptls int2 NOT NULL DEFAULT 1,
    enabledeliver int2 NOT NULL DEFAULT 1, enablelda int2 NOT NULL DEFAULT 1,
    enablemanagesieve int2 NOT NULL DEFAULT 1, enablemanagesievesecured int2 NOT NULL DEFAULT 1,
    enablesieve int2 NOT NULL DEFAULT 1, enablesievesecured int2 NOT NULL DEFAULT 1,
    enablesievetls int2 NOT NULL DEFAULT 1, enableinternal int2 NOT NULL DEFAULT 1,
    enabledoveadm int2 NOT NULL DEFAULT 1, "enablelib-storage" int2 NOT NULL DEFAULT 1,
    "enablequota-status" int2 NOT NULL DEFAULT 1, "enableindexer-worker" int2 NOT NULL DEFAULT 1,
    enablelmtp int2 NOT NULL DEFAULT 1, enabledsync int2 NOT NULL DEFAULT 1, enablesogo int2 NOT NULL DEFAULT 1,
    allow_nets text, settings text NOT NULL DEFAULT '',
    created timestamp NOT NULL DEFAULT now(),
    modified timestamp NOT NULL DEFAULT now(), expired timestamp NOT NULL DEFAULT '9999-12-31 01:01:01',
    active int2 NOT NULL DEFAULT 1
);
CREATE TABLE alias (
    address varchar(255) NOT NULL DEFAULT '' PRIMARY KEY, name varchar(255) NOT NULL DEFAULT '',
    accesspolicy varchar(30) NOT NULL DEFAULT '', domain varchar(255) NOT NULL DEFAULT '',
    created timestamp NOT NULL DEFAULT now(),
    modified timestamp NOT NULL DEFAULT now(), expired timestamp NOT NULL DEFAULT '9999-12-31 01:01:01',
    active int2 NOT NULL DEFAULT 1
);
CREATE TABLE forwardings (
    id serial PRIMARY KEY,
    address varchar(255) NOT NULL DEFAULT '', forwarding varchar(255) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL DEFAULT '', dest_domain varchar(255) NOT NULL DEFAULT '',
    is_maillist int2 NOT NULL DEFAULT 0, is_list int2 NOT NULL DEFAULT 0, is_forwarding int2 NOT NULL DEFAULT 0,
    is_alias int2 NOT NULL DEFAULT 0,
    active int2 NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX idx_forwardings_address_forwarding ON forwardings (address, forwarding);
