CREATE TABLE domain (
    domain varchar(255) NOT NULL DEFAULT '' PRIMARY KEY, description text, disclaimer text,
    maxquota bigint(20) NOT NULL DEFAULT 0, quota bigint(20) NOT NULL DEFAULT 0,
    transport varchar(255) NOT NULL DEFAULT 'dovecot',
    backupmx tinyint(1) NOT NULL DEFAULT 0, settings text,
    created datetime NOT NULL DEFAULT '1970-01-01 01:01:01', modified datetime NOT NULL DEFAULT '1970-01-01 01:01:01',
    expired datetime NOT NULL DEFAULT '9999-12-31 00:00:00',
    active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE alias_domain (
    alias_domain varchar(255) NOT NULL PRIMARY KEY, target_domain varchar(255) NOT NULL,
    created datetime NOT NULL DEFAULT '1970-01-01 01:01:01', modified datetime NOT NULL DEFAULT '1970-01-01 01:01:01',
    active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE mailbox (
    username varchar(255) NOT NULL DEFAULT '' PRIMARY KEY, password varchar(255) NOT NULL DEFAULT '',
    name varchar(255) NOT NULL DEFAULT '',
    mailboxformat varchar(50) NOT NULL DEFAULT 'maildir', mailboxfolder varchar(50) NOT NULL DEFAULT 'Maildir',
    storagebasedirectory varchar(255) NOT NULL DEFAULT '', storagenode varchar(255) NOT NULL DEFAULT '',
    maildir varchar(255) NOT NULL DEFAULT '',
    quota bigint(20) NOT NULL DEFAULT 0, domain varchar(255) NOT NULL DEFAULT '',
    transport varchar(255) NOT NULL DEFAULT '',
    enablesmtp tinyint(1) NOT NULL DEFAULT 1, enablesmtpsecured tinyint(1) NOT NULL DEFAULT 1,
    enablepop3 tinyint(1) NOT NULL DEFAULT 1, enablepop3secured tinyint(1) NOT NULL DEFAULT 1,
    enablepop3tls tinyint(1) NOT NULL DEFAULT 1, enableimap tinyint(1) NOT NULL DEFAULT 1,
    enableimapsecured tinyint(1) NOT NULL DEFAULT 1, enableimaptls tinyint(1) NOT NULL DEFAULT 1,
    enabledeliver tinyint(1) NOT NULL DEFAULT 1, enablelda tinyint(1) NOT NULL DEFAULT 1,
    enablemanagesieve tinyint(1) NOT NULL DEFAULT 1, enablemanagesievesecured tinyint(1) NOT NULL DEFAULT 1,
    enablesieve tinyint(1) NOT NULL DEFAULT 1, enablesievesecured tinyint(1) NOT NULL DEFAULT 1,
    enablesievetls tinyint(1) NOT NULL DEFAULT 1, enableinternal tinyint(1) NOT NULL DEFAULT 1,
    enabledoveadm tinyint(1) NOT NULL DEFAULT 1, `enablelib-storage` tinyint(1) NOT NULL DEFAULT 1,
    `enablequota-status` tinyint(1) NOT NULL DEFAULT 1, `enableindexer-worker` tinyint(1) NOT NULL DEFAULT 1,
    enablelmtp tinyint(1) NOT NULL DEFAULT 1, enabledsync tinyint(1) NOT NULL DEFAULT 1,
    enablesogo tinyint(1) NOT NULL DEFAULT 1,
    allow_nets text, settings text,
    created datetime NOT NULL DEFAULT '1970-01-01 01:01:01', modified datetime NOT NULL DEFAULT '1970-01-01 01:01:01',
    expired datetime NOT NULL DEFAULT '9999-12-31 00:00:00',
    active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE alias (
    address varchar(255) NOT NULL DEFAULT '' PRIMARY KEY, name varchar(255) NOT NULL DEFAULT '',
    accesspolicy varchar(30) NOT NULL DEFAULT '', domain varchar(255) NOT NULL DEFAULT '',
    created datetime NOT NULL DEFAULT '1970-01-01 01:01:01', modified datetime NOT NULL DEFAULT '1970-01-01 01:01:01',
    expired datetime NOT NULL DEFAULT '9999-12-31 00:00:00',
    active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE forwardings (
    id bigint(20) unsigned AUTO_INCREMENT PRIMARY KEY,
    address varchar(255) NOT NULL DEFAULT '', forwarding varchar(255) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL DEFAULT '', dest_domain varchar(255) NOT NULL DEFAULT '',
    is_maillist tinyint(1) NOT NULL DEFAULT 0, is_list tinyint(1) NOT NULL DEFAULT 0,
    is_forwarding tinyint(1) NOT NULL DEFAULT 0, is_alias tinyint(1) NOT NULL DEFAULT 0,
    active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE UNIQUE INDEX idx_forwardings_address_forwarding ON forwardings (address, forwarding);
