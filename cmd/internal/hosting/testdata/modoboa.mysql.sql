CREATE TABLE core_user (
    id integer AUTO_INCREMENT PRIMARY KEY, password varchar(256) NOT NULL DEFAULT '',
    username varchar(254) NOT NULL UNIQUE, email varchar(254) NOT NULL,
    is_staff bool NOT NULL DEFAULT 0, is_active bool NOT NULL DEFAULT 1, is_local bool NOT NULL DEFAULT 1,
    master_user bool NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_domain (
    id integer AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL UNIQUE,
    quota bigint UNSIGNED NOT NULL DEFAULT 0 CHECK (quota >= 0),
    default_mailbox_quota integer UNSIGNED NOT NULL DEFAULT 0, message_limit integer UNSIGNED, enabled bool NOT NULL,
    type varchar(20) NOT NULL DEFAULT 'domain',
    transport_id integer UNIQUE
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_domainalias (
    id integer AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, enabled bool NOT NULL,
    target_id integer NOT NULL REFERENCES admin_domain (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_mailbox (
    id integer AUTO_INCREMENT PRIMARY KEY, address varchar(252) NOT NULL,
    quota integer UNSIGNED NOT NULL CHECK (quota >= 0),
    use_domain_quota bool NOT NULL DEFAULT 0, message_limit integer UNSIGNED,
    domain_id integer NOT NULL REFERENCES admin_domain (id),
    user_id integer NOT NULL UNIQUE REFERENCES core_user (id), is_send_only bool NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_alias (
    id integer AUTO_INCREMENT PRIMARY KEY, address varchar(254) NOT NULL, enabled bool NOT NULL,
    internal bool NOT NULL DEFAULT 0,
    description longtext, expire_at datetime(6), domain_id integer REFERENCES admin_domain (id),
    UNIQUE (address, internal)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE modoboa_admin_aliasrecipient (
    id integer AUTO_INCREMENT PRIMARY KEY, address varchar(254) NOT NULL,
    alias_id integer NOT NULL REFERENCES admin_alias (id),
    r_alias_id integer, r_mailbox_id integer, UNIQUE (alias_id, r_mailbox_id), UNIQUE (alias_id, r_alias_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
