-- The directory: companies, their SCIM tokens and schemas, users, groups, members.
-- `seq` is a row's storage key: small, never reused, never shown. `id` is what the outside sees.
-- Times are microseconds since 1970 (UTC). `document` is ready to send; `facts` are the comparable
-- values of it that no column and no index has.

CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE companies (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    scim_enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE scim_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    rotated_to TEXT,
    last_used_at BIGINT,
    last_used_ip TEXT
);
CREATE INDEX scim_tokens_by_company ON scim_tokens (company_seq, created_at);

CREATE TABLE scim_schemas (
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    urn_key TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (company_seq, urn_key)
);

-- How many resources have a seq in each slot of 2,048. Writers count in the lanes 1 to 32. What rests there
-- is brought into lane 33 now and then, and its sum into lane 0: the lanes up to 32 are the total.
CREATE TABLE resource_counts (
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    resource_type SMALLINT NOT NULL,
    lane SMALLINT NOT NULL,
    slot BIGINT NOT NULL,
    total BIGINT NOT NULL,
    PRIMARY KEY (company_seq, resource_type, lane, slot)
);

CREATE TABLE users (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    id TEXT NOT NULL,
    user_name_key TEXT NOT NULL,
    external_id TEXT,
    display_name_key TEXT,
    active BOOLEAN NOT NULL,
    admin_deactivated BOOLEAN NOT NULL DEFAULT FALSE,
    activated_at BIGINT,
    created_at BIGINT NOT NULL,
    last_modified BIGINT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    facts TEXT NOT NULL
);
CREATE UNIQUE INDEX users_by_id ON users (company_seq, id);
CREATE UNIQUE INDEX users_by_user_name ON users (company_seq, user_name_key);
CREATE UNIQUE INDEX users_by_external_id ON users (company_seq, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_without_external_id ON users (company_seq, external_id, seq) WHERE external_id IS NULL;
CREATE INDEX users_by_display_name ON users (company_seq, display_name_key);
CREATE INDEX users_by_active ON users (company_seq, active, seq);
CREATE INDEX users_by_created ON users (company_seq, created_at);
CREATE INDEX users_by_last_modified ON users (company_seq, last_modified);
CREATE INDEX users_in_order ON users (company_seq, seq);

CREATE TABLE groups (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    company_seq BIGINT NOT NULL REFERENCES companies (seq) ON DELETE CASCADE,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    display_name_key TEXT NOT NULL,
    external_id TEXT,
    member_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_modified BIGINT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    facts TEXT NOT NULL,
    -- False: surely in no other group. Once true it stays.
    nested BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX groups_by_id ON groups (company_seq, id);
CREATE UNIQUE INDEX groups_by_display_name ON groups (company_seq, display_name_key);
CREATE UNIQUE INDEX groups_by_external_id ON groups (company_seq, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX groups_without_external_id ON groups (company_seq, external_id, seq) WHERE external_id IS NULL;
CREATE INDEX groups_by_created ON groups (company_seq, created_at);
CREATE INDEX groups_by_last_modified ON groups (company_seq, last_modified);
CREATE INDEX groups_in_order ON groups (company_seq, seq);
-- All that is shown of a group with a user: who reads their names reads it instead of the rows.
CREATE INDEX groups_shown ON groups (seq, company_seq, id, display_name, nested);

-- Which groups of which names a company has: the sum of its states is another one after each group that is made and each
-- change of what a user shows of one, and none that it had before. What a process remembers of groups counts under one sum.
-- Here one writes at a time, and one row is enough.
CREATE TABLE shown_groups (
    company_seq INTEGER NOT NULL PRIMARY KEY,
    state BIGINT NOT NULL DEFAULT (random() >> 16)
);
CREATE TRIGGER groups_shown_first AFTER INSERT ON groups
BEGIN
    INSERT INTO shown_groups (company_seq) VALUES (NEW.company_seq)
    ON CONFLICT (company_seq) DO UPDATE SET state = excluded.state;
END;
CREATE TRIGGER groups_shown_anew AFTER UPDATE OF display_name, nested ON groups
WHEN OLD.display_name <> NEW.display_name OR OLD.nested <> NEW.nested
BEGIN
    INSERT INTO shown_groups (company_seq) VALUES (NEW.company_seq)
    ON CONFLICT (company_seq) DO UPDATE SET state = excluded.state;
END;

-- member_type: 0 a user, 1 a group. Both seqs are of one company.
CREATE TABLE group_members (
    group_seq BIGINT NOT NULL REFERENCES groups (seq) ON DELETE CASCADE,
    member_type SMALLINT NOT NULL,
    member_seq BIGINT NOT NULL,
    PRIMARY KEY (group_seq, member_type, member_seq)
) WITHOUT ROWID;
CREATE INDEX group_members_by_member ON group_members (member_type, member_seq, group_seq);

-- One row a value that is promised an index; element 0 of a list is the primary or else the first.
CREATE TABLE attribute_values (
    company_seq BIGINT NOT NULL,
    resource_type SMALLINT NOT NULL,
    path TEXT NOT NULL,
    value_key TEXT NOT NULL,
    resource_seq BIGINT NOT NULL,
    element SMALLINT NOT NULL,
    PRIMARY KEY (company_seq, resource_type, path, value_key, resource_seq, element)
) WITHOUT ROWID;
