-- What SAML needs beside the connections: our key pair, which assertions came before, and what identity
-- providers call the people whom they sign out again. Times are microseconds since 1970 (UTC).

-- One key pair for the installation. private_key: sealed; company_seq is 0, as its place says.
CREATE TABLE saml_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    certificate TEXT COLLATE "C" NOT NULL,
    private_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- The assertions that were accepted, for as long as one of them would be accepted again.
CREATE TABLE saml_assertions (
    connection_seq BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    company_seq BIGINT NOT NULL,
    remember_until BIGINT NOT NULL,
    PRIMARY KEY (connection_seq, id)
);
CREATE INDEX saml_assertions_by_age ON saml_assertions (remember_until);
CREATE INDEX saml_assertions_by_company ON saml_assertions (company_seq);

-- Under which name an identity provider signed somebody in, by what it calls the session. name: the text of
-- the NameID; name_id: all of it, as JSON.
CREATE TABLE saml_names (
    connection_seq BIGINT NOT NULL,
    session TEXT COLLATE "C" NOT NULL,
    company_seq BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    name_id TEXT COLLATE "C" NOT NULL,
    keep_until BIGINT NOT NULL,
    PRIMARY KEY (connection_seq, session)
);
CREATE INDEX saml_names_by_name ON saml_names (connection_seq, name);
CREATE INDEX saml_names_by_age ON saml_names (keep_until);
CREATE INDEX saml_names_by_company ON saml_names (company_seq);
