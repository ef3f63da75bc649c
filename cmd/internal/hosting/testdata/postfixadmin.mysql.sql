CREATE TABLE domain (
    domain varchar(255) NOT NULL PRIMARY KEY, description varchar(255) NOT NULL DEFAULT '', aliases int NOT NULL DEFAULT 0,
    mailboxes int NOT NULL DEFAULT 0, maxquota bigint NOT NULL DEFAULT 0, quota bigint NOT NULL DEFAULT 0,
    transport varchar(255), backupmx tinyint(1) NOT NULL DEFAULT 0, active tinyint(1) NOT NULL DEFAULT 1,
    created datetime DEFAULT now(), modified datetime DEFAULT now()
) CHARSET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE alias_domain (
    alias_domain varchar(255) NOT NULL PRIMARY KEY, target_domain varchar(255) NOT NULL, active tinyint(1) NOT NULL DEFAULT 1,
    created datetime DEFAULT now(), modified datetime DEFAULT now()
) CHARSET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE mailbox (
    username varchar(255) NOT NULL PRIMARY KEY, password varchar(255) NOT NULL DEFAULT '', name varchar(255) NOT NULL DEFAULT '',
    maildir varchar(255) NOT NULL DEFAULT '', quota bigint NOT NULL DEFAULT 0, local_part varchar(255) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL, active tinyint(1) NOT NULL DEFAULT 1,
    created datetime DEFAULT now(), modified datetime DEFAULT now()
) CHARSET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE alias (
    address varchar(255) NOT NULL PRIMARY KEY, goto text NOT NULL, domain varchar(255) NOT NULL, active tinyint(1) NOT NULL DEFAULT 1,
    created datetime DEFAULT now(), modified datetime DEFAULT now()
) CHARSET utf8mb4 COLLATE utf8mb4_general_ci;
