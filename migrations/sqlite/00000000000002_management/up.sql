-- What is managed over a directory: organizations and who is in them, roles, teams, filters, API keys,
-- connections, sessions, background jobs, and the record of every change.
-- Times are microseconds since 1970 (UTC). A column that is called `…_seq` holds a storage key. Rows that
-- SCIM writes by the thousand refer to users and groups without a foreign key; `db` removes them.

ALTER TABLE companies ADD COLUMN region TEXT;
ALTER TABLE companies ADD COLUMN multi_org BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE companies ADD COLUMN self_serve_sso BOOLEAN NOT NULL DEFAULT FALSE;
-- A JSON object of the company's other switches, each with a default where it is absent.
ALTER TABLE companies ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE companies ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- Causes of a user's status beside `active`, `admin_deactivated` and `activated_at`, and when it changed.
-- origin: who made the user. 0 the directory, 1 an invitation, 2 a first login.
ALTER TABLE users ADD COLUMN unmapped BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN origin SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN status_changed_at BIGINT;

-- What a user may do in the company as a whole. No row: a member without further permissions.
CREATE TABLE company_roles (
    user_seq BIGINT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    role TEXT NOT NULL,
    permissions TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX company_roles_by_company ON company_roles (company_seq, role, user_seq);

CREATE TABLE organizations (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    automatic_user_access BOOLEAN NOT NULL,
    default_role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX organizations_by_slug ON organizations (company_seq, slug);
CREATE INDEX organizations_in_order ON organizations (company_seq, seq);
-- Whom a change of one user reaches must not cost more where the company has many organizations.
CREATE INDEX organizations_automatic ON organizations (company_seq, seq) WHERE automatic_user_access;

-- source: how the user came in. entered_at: the first time signed in there. The status is computed.
CREATE TABLE organization_members (
    organization_seq BIGINT NOT NULL,
    user_seq BIGINT NOT NULL,
    company_seq BIGINT NOT NULL,
    role TEXT NOT NULL,
    source TEXT NOT NULL,
    deactivated BOOLEAN NOT NULL,
    unmapped BOOLEAN NOT NULL,
    entered_at BIGINT,
    status_changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (organization_seq, user_seq)
) WITHOUT ROWID;
CREATE INDEX organization_members_by_user ON organization_members (user_seq, organization_seq);

CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    organization_seq BIGINT NOT NULL REFERENCES organizations (seq) ON DELETE CASCADE,
    user_seq BIGINT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    teams TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    accepted_at BIGINT,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX invitations_open ON invitations (organization_seq, user_seq)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_in_order ON invitations (organization_seq, id);
CREATE INDEX invitations_by_user ON invitations (user_seq);

-- provider: sso, scim or manual. group_seq: the directory's group that names it, where there is one.
CREATE TABLE teams (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    company_seq BIGINT NOT NULL,
    organization_seq BIGINT NOT NULL REFERENCES organizations (seq) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    provider TEXT NOT NULL,
    group_seq BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX teams_by_name ON teams (organization_seq, provider, name);
CREATE INDEX teams_in_order ON teams (organization_seq, seq);
CREATE UNIQUE INDEX teams_by_group ON teams (group_seq, organization_seq) WHERE group_seq IS NOT NULL;

-- origin: who wrote the row, sso, scim or manual; team sync touches rows of its own origin alone.
CREATE TABLE team_members (
    team_seq BIGINT NOT NULL,
    user_seq BIGINT NOT NULL,
    origin TEXT NOT NULL,
    organization_seq BIGINT NOT NULL,
    company_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (team_seq, user_seq, origin)
) WITHOUT ROWID;
CREATE INDEX team_members_by_user ON team_members (user_seq, organization_seq, team_seq, origin);

-- The last team sync of a user in an organization: what was seen, and what was left out of it and why.
CREATE TABLE team_syncs (
    user_seq BIGINT NOT NULL,
    organization_seq BIGINT NOT NULL,
    company_seq BIGINT NOT NULL,
    cause TEXT NOT NULL,
    source TEXT NOT NULL,
    groups_seen TEXT NOT NULL,
    dropped TEXT NOT NULL,
    synced_at BIGINT NOT NULL,
    PRIMARY KEY (user_seq, organization_seq)
) WITHOUT ROWID;
CREATE INDEX team_syncs_by_organization ON team_syncs (organization_seq, user_seq);

-- group_seq: kept where the group is the directory's, so that a rename moves no right.
CREATE TABLE team_mappings (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    organization_seq BIGINT NOT NULL REFERENCES organizations (seq) ON DELETE CASCADE,
    team_seq BIGINT NOT NULL REFERENCES teams (seq) ON DELETE CASCADE,
    group_name TEXT NOT NULL,
    group_seq BIGINT,
    role TEXT,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX team_mappings_by_team ON team_mappings (team_seq, group_name);
CREATE INDEX team_mappings_by_organization ON team_mappings (organization_seq, created_at, id);
CREATE INDEX team_mappings_by_name ON team_mappings (company_seq, group_name);
CREATE INDEX team_mappings_by_group ON team_mappings (group_seq) WHERE group_seq IS NOT NULL;

-- allow and block are JSON lists of patterns. applied_version: what the job has brought to the teams.
CREATE TABLE group_filters (
    company_seq BIGINT NOT NULL PRIMARY KEY REFERENCES companies (seq) ON DELETE CASCADE,
    allow TEXT NOT NULL,
    block TEXT NOT NULL,
    version BIGINT NOT NULL,
    applied_version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Groups that logins have named; those of the directory are in `groups`.
CREATE TABLE claimed_groups (
    company_seq BIGINT NOT NULL,
    name TEXT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (company_seq, name)
);

-- What the last login of a user said. groups: a JSON list; NULL where the claim was absent.
CREATE TABLE user_claims (
    user_seq BIGINT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    connection_seq BIGINT NOT NULL,
    groups TEXT,
    overage BOOLEAN NOT NULL,
    observed_at BIGINT NOT NULL
);
CREATE INDEX user_claims_by_company ON user_claims (company_seq, user_seq);

-- organization_seq: of a legacy connection alone. document: what its protocol needs, as JSON.
CREATE TABLE connections (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    organization_seq BIGINT REFERENCES organizations (seq) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    provider TEXT NOT NULL,
    protocol TEXT NOT NULL,
    state TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    activated_at BIGINT,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX connections_of_company ON connections (company_seq) WHERE organization_seq IS NULL;
CREATE UNIQUE INDEX connections_of_organization ON connections (organization_seq)
    WHERE organization_seq IS NOT NULL;
CREATE INDEX connections_by_company ON connections (company_seq, seq);

-- Who a subject at an issuer is (ruling 9). The link of a deleted user stays: no login makes them anew.
CREATE TABLE identities (
    connection_seq BIGINT NOT NULL REFERENCES connections (seq) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    company_seq BIGINT NOT NULL,
    user_seq BIGINT NOT NULL,
    linked_at BIGINT NOT NULL,
    last_login_at BIGINT NOT NULL,
    PRIMARY KEY (connection_seq, issuer, subject)
);
CREATE UNIQUE INDEX identities_by_user ON identities (user_seq, connection_seq);
CREATE INDEX identities_by_company ON identities (company_seq, user_seq);

-- Who was deleted, by digests of the addresses and ids: no login makes them anew (ruling 9).
CREATE TABLE departed (
    company_seq BIGINT NOT NULL,
    digest TEXT NOT NULL,
    departed_at BIGINT NOT NULL,
    PRIMARY KEY (company_seq, digest)
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL,
    user_seq BIGINT NOT NULL,
    connection_seq BIGINT,
    organization_seq BIGINT,
    digest BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT
);
CREATE INDEX sessions_by_user ON sessions (user_seq, created_at);
CREATE INDEX sessions_by_company ON sessions (company_seq, created_at);

-- company_seq NULL: an operator's key. scopes: names with blanks between them; none means all.
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT REFERENCES companies (seq) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT,
    last_used_ip TEXT
);
CREATE INDEX api_keys_by_company ON api_keys (company_seq, created_at, id);

-- Work done in slices. payload: what to do; place: how far it has come, both JSON. A worker holds a job
-- while its lease lasts.
CREATE TABLE jobs (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    payload TEXT NOT NULL,
    place TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    error TEXT,
    attempts BIGINT NOT NULL,
    leased_by TEXT,
    leased_until BIGINT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX jobs_open ON jobs (seq) WHERE finished_at IS NULL;
CREATE INDEX jobs_by_company ON jobs (company_seq, seq);

-- What happened: the outbox, and the audit. company_seq 0: the installation's own. detail: JSON.
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    company_seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX events_by_company ON events (company_seq, seq);
CREATE INDEX events_by_target ON events (company_seq, target, seq);

-- What a request with this key was answered, so that the same one is answered so again.
CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status BIGINT NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
