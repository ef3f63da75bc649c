CREATE TABLE domain (
    domain varchar(255) NOT NULL DEFAULT '' PRIMARY KEY, description text, maxquota bigint(20) NOT NULL DEFAULT 0, transport varchar(255) NOT NULL DEFAULT 'dovecot',
    backupmx tinyint(1) NOT NULL DEFAULT 0, settings text, created datetime DEFAULT now(), active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE alias_domain (
    alias_domain varchar(255) PRIMARY KEY, target_domain varchar(255) NOT NULL, created datetime DEFAULT now(), active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE mailbox (
    username varchar(255) PRIMARY KEY, password varchar(255) NOT NULL DEFAULT '', name varchar(255) NOT NULL DEFAULT '',
    mailboxformat varchar(50) NOT NULL DEFAULT 'maildir', mailboxfolder varchar(50) NOT NULL DEFAULT 'Maildir',
    storagebasedirectory varchar(255) NOT NULL DEFAULT '', storagenode varchar(255) NOT NULL DEFAULT '', maildir varchar(255) NOT NULL DEFAULT '',
    quota bigint(20) NOT NULL DEFAULT 0, domain varchar(255) NOT NULL DEFAULT '', enabledeliver tinyint(1) NOT NULL DEFAULT 1, enablelda tinyint(1) NOT NULL DEFAULT 1,
    enablelmtp tinyint(1) NOT NULL DEFAULT 1, created datetime DEFAULT now(), active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE alias (
    address varchar(255) PRIMARY KEY, name varchar(255) NOT NULL DEFAULT '', accesspolicy varchar(30) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL DEFAULT '', created datetime DEFAULT now(), active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE forwardings (
    id bigint(20) unsigned AUTO_INCREMENT PRIMARY KEY, address varchar(255) NOT NULL DEFAULT '', forwarding varchar(255) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL DEFAULT '', dest_domain varchar(255) NOT NULL DEFAULT '', is_maillist tinyint(1) NOT NULL DEFAULT 0,
    is_list tinyint(1) NOT NULL DEFAULT 0, is_forwarding tinyint(1) NOT NULL DEFAULT 0, is_alias tinyint(1) NOT NULL DEFAULT 0, active tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE UNIQUE INDEX idx_forwardings_address_forwarding ON forwardings (address, forwarding);
