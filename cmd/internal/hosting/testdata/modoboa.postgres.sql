CREATE TABLE core_user (
    id serial PRIMARY KEY, password varchar(256) NOT NULL DEFAULT '', username varchar(254) NOT NULL UNIQUE, email varchar(254) NOT NULL,
    is_active boolean NOT NULL, is_local_user boolean NOT NULL DEFAULT true
);
CREATE TABLE admin_domain (
    id serial PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, quota bigint NOT NULL DEFAULT 0, default_mailbox_quota integer NOT NULL DEFAULT 0,
    enabled boolean NOT NULL, type varchar(20) NOT NULL DEFAULT 'domain'
);
CREATE TABLE admin_domainalias (
    id serial PRIMARY KEY, name varchar(100) NOT NULL UNIQUE, enabled boolean NOT NULL, target_id integer NOT NULL REFERENCES admin_domain (id)
);
CREATE TABLE admin_mailbox (
    id serial PRIMARY KEY, address varchar(252) NOT NULL, quota integer NOT NULL, use_domain_quota boolean NOT NULL DEFAULT false,
    is_send_only boolean NOT NULL DEFAULT false, message_limit integer, domain_id integer NOT NULL REFERENCES admin_domain (id),
    user_id integer NOT NULL UNIQUE REFERENCES core_user (id)
);
CREATE TABLE admin_alias (
    id serial PRIMARY KEY, address varchar(254) NOT NULL, enabled boolean NOT NULL, internal boolean NOT NULL DEFAULT false,
    description text, expire_at timestamptz, domain_id integer REFERENCES admin_domain (id)
);
CREATE TABLE modoboa_admin_aliasrecipient (
    id serial PRIMARY KEY, address varchar(254) NOT NULL, alias_id integer NOT NULL REFERENCES admin_alias (id),
    r_alias_id integer, r_mailbox_id integer
);
