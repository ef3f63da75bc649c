CREATE TABLE domain (
    domain varchar(255) NOT NULL PRIMARY KEY, description varchar(255), aliases int(10) NOT NULL DEFAULT '0',
    mailboxes int(10) NOT NULL DEFAULT '0',
    defquota bigint(20) NOT NULL DEFAULT '3072', maxquota bigint(20) NOT NULL DEFAULT '102400',
    quota bigint(20) NOT NULL DEFAULT '102400',
    relayhost varchar(255) NOT NULL DEFAULT '0', backupmx tinyint(1) NOT NULL DEFAULT '0',
    gal tinyint(1) NOT NULL DEFAULT '1',
    relay_all_recipients tinyint(1) NOT NULL DEFAULT '0', relay_unknown_only tinyint(1) NOT NULL DEFAULT '0',
    created datetime(0) NOT NULL DEFAULT now(0), modified datetime ON UPDATE current_timestamp,
    active tinyint(1) NOT NULL DEFAULT '1'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci ROW_FORMAT=DYNAMIC;
CREATE TABLE alias_domain (
    alias_domain varchar(255) NOT NULL PRIMARY KEY, target_domain varchar(255) NOT NULL,
    created datetime(0) NOT NULL DEFAULT now(0), modified datetime ON UPDATE current_timestamp,
    active tinyint(1) NOT NULL DEFAULT '1'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci ROW_FORMAT=DYNAMIC;
CREATE TABLE mailbox (
    username varchar(255) NOT NULL PRIMARY KEY, password varchar(255) NOT NULL, name varchar(255),
    description varchar(255),
    mailbox_path_prefix varchar(150) DEFAULT '/var/vmail/', quota bigint(20) NOT NULL DEFAULT '102400',
    local_part varchar(255) NOT NULL,
    domain varchar(255) NOT NULL, attributes json, custom_attributes json NOT NULL DEFAULT ('{}'),
    kind varchar(100) NOT NULL DEFAULT '',
    multiple_bookings int NOT NULL DEFAULT -1,
    authsource enum('mailcow', 'keycloak', 'generic-oidc', 'ldap') DEFAULT 'mailcow',
    created datetime(0) NOT NULL DEFAULT now(0), modified datetime ON UPDATE current_timestamp,
    active tinyint(1) NOT NULL DEFAULT '1'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci ROW_FORMAT=DYNAMIC;
CREATE TABLE alias (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY, address varchar(255) NOT NULL UNIQUE, goto text NOT NULL,
    domain varchar(255) NOT NULL,
    created datetime(0) NOT NULL DEFAULT now(0), modified datetime ON UPDATE current_timestamp, private_comment text,
    public_comment text,
    sogo_visible tinyint(1) NOT NULL DEFAULT '1', internal tinyint(1) NOT NULL DEFAULT '0',
    sender_allowed tinyint(1) NOT NULL DEFAULT '1',
    active tinyint(1) NOT NULL DEFAULT '1'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci ROW_FORMAT=DYNAMIC;
