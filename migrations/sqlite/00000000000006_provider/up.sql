-- The OpenID Provider: applications of the operator, what they were granted, the keys that sign, and the
-- notices of ended sessions that they wait for. Of secrets and tokens there are keyed digests alone.

-- What the session is called at the identity provider, where it said so.
ALTER TABLE sessions ADD COLUMN idp_session TEXT;
-- When its person showed who they are, where the identity provider said so.
ALTER TABLE sessions ADD COLUMN authenticated_at BIGINT;
CREATE INDEX sessions_in_order ON sessions (company_seq, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_connection ON sessions (connection_seq, ended_at);
CREATE INDEX sessions_at_provider ON sessions (idp_session)
    WHERE idp_session IS NOT NULL AND ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_over ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- digest NULL: a public client, which has no secret. document: addresses, as JSON.
CREATE TABLE applications (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB,
    former_digest BLOB,
    former_until BIGINT,
    id_token_alg TEXT NOT NULL,
    backchannel_logout_uri TEXT,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- A request for authorization whose person has yet to sign in. document: its parameters, as JSON.
CREATE TABLE authorization_requests (
    id TEXT NOT NULL PRIMARY KEY,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX authorization_requests_by_age ON authorization_requests (created_at);
CREATE INDEX authorization_requests_by_application ON authorization_requests (application_id);

-- What an application may do for a person as long as the session lasts: made with its code, and renewed by
-- refresh tokens, all of which begin alike (family); digest is the latest one's.
CREATE TABLE oauth_grants (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    user_seq BIGINT NOT NULL,
    session_id TEXT NOT NULL,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    document TEXT NOT NULL,
    code_digest BLOB NOT NULL,
    code_until BIGINT NOT NULL,
    family BLOB,
    digest BLOB,
    created_at BIGINT NOT NULL
);
CREATE INDEX oauth_grants_by_user ON oauth_grants (user_seq);
CREATE INDEX oauth_grants_by_session ON oauth_grants (session_id);
CREATE INDEX oauth_grants_by_application ON oauth_grants (application_id);
CREATE INDEX oauth_grants_unused ON oauth_grants (code_until) WHERE digest IS NULL;

-- A key signs from active_from until the next generation's; private_key is sealed. company_seq is 0: they are
-- the installation's own.
CREATE TABLE signing_keys (
    algorithm TEXT NOT NULL,
    generation BIGINT NOT NULL,
    id TEXT NOT NULL,
    public_key TEXT NOT NULL,
    private_key BLOB NOT NULL,
    active_from BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    company_seq BIGINT NOT NULL,
    PRIMARY KEY (algorithm, generation)
);
CREATE UNIQUE INDEX signing_keys_by_id ON signing_keys (id);

-- Applications that are yet to hear that a session has ended (OpenID Connect Back-Channel Logout 1.0).
CREATE TABLE logout_notices (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    company_seq BIGINT NOT NULL,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX logout_notices_due ON logout_notices (due_at, seq);
CREATE INDEX logout_notices_by_application ON logout_notices (application_id);
CREATE INDEX logout_notices_by_company ON logout_notices (company_seq);
