-- What a connection needs to be used: its sealed secret, a path to sign in at, a candidate to follow it;
-- the keys that seal; the domains whose people are a company's.

-- Keys that seal secrets, each wrapped under a key made from the server key. The last one seals; a sealed
-- value carries its own key, wrapped. retired_at: nothing in the database is sealed by it any more.
CREATE TABLE sealing_keys (
    id BIGINT NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

-- secret: sealed. login_path: in lower case. A deleted connection stays for what refers to it.
ALTER TABLE connections ADD COLUMN secret BLOB;
ALTER TABLE connections ADD COLUMN login_path TEXT;
ALTER TABLE connections ADD COLUMN candidate BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE connections ADD COLUMN deleted_at BIGINT;
DROP INDEX connections_of_company;
DROP INDEX connections_of_organization;
CREATE UNIQUE INDEX connections_of_company ON connections (company_seq, candidate)
    WHERE organization_seq IS NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX connections_of_organization ON connections (organization_seq)
    WHERE organization_seq IS NOT NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX connections_by_login_path ON connections (login_path) WHERE login_path IS NOT NULL;

-- A domain may be claimed by several companies, and be verified for one. strategy: how it was proved.
-- last_seen: a JSON list of the TXT records that the last look-up found.
CREATE TABLE domains (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    domain TEXT NOT NULL,
    token TEXT NOT NULL,
    strategy TEXT NOT NULL,
    verified_at BIGINT,
    expires_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    last_checked_at BIGINT,
    last_seen TEXT NOT NULL,
    block_social_login BOOLEAN NOT NULL,
    include_subdomains BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX domains_of_company ON domains (company_seq, domain);
CREATE UNIQUE INDEX domains_verified ON domains (domain) WHERE verified_at IS NOT NULL;
