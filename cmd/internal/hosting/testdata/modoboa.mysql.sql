CREATE TABLE core_user (
    id integer AUTO_INCREMENT PRIMARY KEY, password varchar(256) NOT NULL DEFAULT '', username varchar(254) NOT NULL UNIQUE, email varchar(254) NOT NULL,
    is_active tinyint(1) NOT NULL, is_local_user tinyint(1) NOT NULL DEFAULT 1
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE admin_domain (
    id integer AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, quota bigint NOT NULL DEFAULT 0, default_mailbox_quota integer NOT NULL DEFAULT 0,
    enabled tinyint(1) NOT NULL, type varchar(20) NOT NULL DEFAULT 'domain'
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE admin_domainalias (
    id integer AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, enabled tinyint(1) NOT NULL, target_id integer NOT NULL REFERENCES admin_domain (id)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE admin_mailbox (
    id integer AUTO_INCREMENT PRIMARY KEY, address varchar(252) NOT NULL, quota integer NOT NULL, use_domain_quota tinyint(1) NOT NULL DEFAULT 0,
    is_send_only tinyint(1) NOT NULL DEFAULT 0, message_limit integer, domain_id integer NOT NULL REFERENCES admin_domain (id),
    user_id integer NOT NULL UNIQUE REFERENCES core_user (id)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE admin_alias (
    id integer AUTO_INCREMENT PRIMARY KEY, address varchar(254) NOT NULL, enabled tinyint(1) NOT NULL, internal tinyint(1) NOT NULL DEFAULT 0,
    description text, expire_at datetime(6), domain_id integer REFERENCES admin_domain (id)
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE modoboa_admin_aliasrecipient (
    id integer AUTO_INCREMENT PRIMARY KEY, address varchar(254) NOT NULL, alias_id integer NOT NULL REFERENCES admin_alias (id),
    r_alias_id integer, r_mailbox_id integer
) ENGINE=InnoDB CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
