CREATE TABLE domain (
    domain varchar(255) NOT NULL DEFAULT '' PRIMARY KEY, description text, maxquota int8 NOT NULL DEFAULT 0, transport varchar(255) NOT NULL DEFAULT 'dovecot',
    backupmx int2 NOT NULL DEFAULT 0, settings text, created timestamp DEFAULT now(), active int2 NOT NULL DEFAULT 1
);
CREATE TABLE alias_domain (
    alias_domain varchar(255) PRIMARY KEY, target_domain varchar(255) NOT NULL, created timestamp DEFAULT now(), active int2 NOT NULL DEFAULT 1
);
CREATE TABLE mailbox (
    username varchar(255) PRIMARY KEY, password varchar(255) NOT NULL DEFAULT '', name varchar(255) NOT NULL DEFAULT '',
    mailboxformat varchar(50) NOT NULL DEFAULT 'maildir', mailboxfolder varchar(50) NOT NULL DEFAULT 'Maildir',
    storagebasedirectory varchar(255) NOT NULL DEFAULT '', storagenode varchar(255) NOT NULL DEFAULT '', maildir varchar(255) NOT NULL DEFAULT '',
    quota int8 NOT NULL DEFAULT 0, domain varchar(255) NOT NULL DEFAULT '', enabledeliver int2 NOT NULL DEFAULT 1, enablelda int2 NOT NULL DEFAULT 1,
    enablelmtp int2 NOT NULL DEFAULT 1, created timestamp DEFAULT now(), active int2 NOT NULL DEFAULT 1
);
CREATE TABLE alias (
    address varchar(255) PRIMARY KEY, name varchar(255) NOT NULL DEFAULT '', accesspolicy varchar(30) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL DEFAULT '', created timestamp DEFAULT now(), active int2 NOT NULL DEFAULT 1
);
CREATE TABLE forwardings (
    id serial PRIMARY KEY, address varchar(255) NOT NULL DEFAULT '', forwarding varchar(255) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL DEFAULT '', dest_domain varchar(255) NOT NULL DEFAULT '', is_maillist int2 NOT NULL DEFAULT 0,
    is_list int2 NOT NULL DEFAULT 0, is_forwarding int2 NOT NULL DEFAULT 0, is_alias int2 NOT NULL DEFAULT 0, active int2 NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX idx_forwardings_address_forwarding ON forwardings (address, forwarding);
