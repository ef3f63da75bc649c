CREATE TABLE core_user (
    id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, password varchar(256) NOT NULL,
    username varchar(254) NOT NULL UNIQUE, email varchar(254) NOT NULL, is_staff bool NOT NULL,
    is_active bool NOT NULL, is_local bool NOT NULL, master_user bool NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_domain (
    id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, name varchar(253) NOT NULL UNIQUE,
    quota integer UNSIGNED NOT NULL CHECK (quota >= 0),
    default_mailbox_quota integer UNSIGNED NOT NULL CHECK (default_mailbox_quota >= 0),
    message_limit integer UNSIGNED NULL CHECK (message_limit >= 0), enabled bool NOT NULL,
    type varchar(20) NOT NULL, transport_id integer NULL UNIQUE,
    creation datetime(6) NOT NULL, last_modification datetime(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_domainalias (
    id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, enabled bool NOT NULL,
    target_id integer NOT NULL, creation datetime(6) NOT NULL, last_modification datetime(6) NOT NULL,
    FOREIGN KEY (target_id) REFERENCES admin_domain (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_mailbox (
    id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, address varchar(252) NOT NULL,
    quota integer UNSIGNED NOT NULL CHECK (quota >= 0), use_domain_quota bool NOT NULL,
    message_limit integer UNSIGNED NULL CHECK (message_limit >= 0), domain_id integer NOT NULL,
    user_id integer NOT NULL UNIQUE, is_send_only bool NOT NULL,
    creation datetime(6) NOT NULL, last_modification datetime(6) NOT NULL,
    FOREIGN KEY (domain_id) REFERENCES admin_domain (id), FOREIGN KEY (user_id) REFERENCES core_user (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE admin_alias (
    id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, address varchar(254) NOT NULL, enabled bool NOT NULL,
    internal bool NOT NULL, description longtext NOT NULL, expire_at datetime(6) NULL, domain_id integer NULL,
    creation datetime(6) NOT NULL, last_modification datetime(6) NOT NULL,
    UNIQUE (address, internal), FOREIGN KEY (domain_id) REFERENCES admin_domain (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
CREATE TABLE modoboa_admin_aliasrecipient (
    id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, address varchar(254) NOT NULL,
    alias_id integer NOT NULL, r_alias_id integer NULL, r_mailbox_id integer NULL,
    UNIQUE (alias_id, r_mailbox_id), UNIQUE (alias_id, r_alias_id),
    FOREIGN KEY (alias_id) REFERENCES admin_alias (id), FOREIGN KEY (r_alias_id) REFERENCES admin_alias (id),
    FOREIGN KEY (r_mailbox_id) REFERENCES admin_mailbox (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_general_ci;
