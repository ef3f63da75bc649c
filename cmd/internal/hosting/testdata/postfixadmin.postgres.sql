CREATE TABLE domain (
    domain varchar(255) PRIMARY KEY, description varchar(255) NOT NULL DEFAULT '', aliases integer NOT NULL DEFAULT 0,
    mailboxes integer NOT NULL DEFAULT 0, maxquota bigint NOT NULL DEFAULT 0, quota bigint NOT NULL DEFAULT 0,
    transport varchar(255), backupmx boolean NOT NULL DEFAULT false, active boolean NOT NULL DEFAULT true,
    created timestamptz DEFAULT now(), modified timestamptz DEFAULT now()
);
CREATE TABLE alias_domain (
    alias_domain varchar(255) PRIMARY KEY, target_domain varchar(255) NOT NULL, active boolean NOT NULL DEFAULT true,
    created timestamptz DEFAULT now(), modified timestamptz DEFAULT now()
);
CREATE TABLE mailbox (
    username varchar(255) PRIMARY KEY, password varchar(255) NOT NULL DEFAULT '', name varchar(255) NOT NULL DEFAULT '',
    maildir varchar(255) NOT NULL DEFAULT '', quota bigint NOT NULL DEFAULT 0, local_part varchar(255) NOT NULL DEFAULT '',
    domain varchar(255) NOT NULL, active boolean NOT NULL DEFAULT true,
    created timestamptz DEFAULT now(), modified timestamptz DEFAULT now()
);
CREATE TABLE alias (
    address varchar(255) PRIMARY KEY, goto text NOT NULL, domain varchar(255) NOT NULL, active boolean NOT NULL DEFAULT true,
    created timestamptz DEFAULT now(), modified timestamptz DEFAULT now()
);
