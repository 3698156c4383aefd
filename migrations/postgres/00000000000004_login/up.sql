-- How people sign in: attempts on their way, which are the log of them afterwards, and the social connections
-- of the operator. Times are microseconds since 1970 (UTC).

-- company_seq 0: a social login whose company is not known yet. document: the door, and where it leads, as
-- JSON. Of state, browser and ticket there are keyed digests only. held: a verified identity that waits for the
-- browser that began. outcome NULL: on its way. report: how it ended, as JSON.
CREATE TABLE login_attempts (
    id TEXT NOT NULL PRIMARY KEY,
    reference TEXT NOT NULL,
    company_seq BIGINT NOT NULL,
    connection_seq BIGINT,
    document TEXT NOT NULL,
    state_digest BYTEA NOT NULL,
    browser_digest BYTEA NOT NULL,
    request_id TEXT NOT NULL,
    held TEXT,
    ticket_digest BYTEA,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    outcome TEXT,
    code TEXT,
    email TEXT,
    report TEXT
);
CREATE UNIQUE INDEX login_attempts_by_state ON login_attempts (state_digest);
CREATE UNIQUE INDEX login_attempts_by_request ON login_attempts (request_id);
CREATE UNIQUE INDEX login_attempts_by_ticket ON login_attempts (ticket_digest) WHERE ticket_digest IS NOT NULL;
CREATE INDEX login_attempts_by_company ON login_attempts (company_seq, id);
CREATE INDEX login_attempts_by_email ON login_attempts (company_seq, email, id) WHERE email IS NOT NULL;
CREATE INDEX login_attempts_by_age ON login_attempts (expires_at);
CREATE INDEX login_attempts_open ON login_attempts (expires_at) WHERE outcome IS NULL;

-- Those of the operator: company_seq is 0. secret: sealed. document: endpoints, client and scopes, as JSON.
CREATE TABLE social_connections (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    secret BYTEA,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- Whom a social login may mean: who was invited by this address, in whatever company.
CREATE INDEX invitations_by_email ON invitations (email);

-- When somebody last came in through a connection, give or take a minute, and whether groups were claimed then.
CREATE TABLE connection_logins (
    connection_seq BIGINT NOT NULL PRIMARY KEY REFERENCES connections (seq) ON DELETE CASCADE,
    company_seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    groups_claimed BOOLEAN NOT NULL
);
