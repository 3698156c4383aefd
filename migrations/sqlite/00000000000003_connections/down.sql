DROP TABLE domains;
DROP INDEX connections_by_login_path;
DROP INDEX connections_of_organization;
DROP INDEX connections_of_company;
DELETE FROM connections WHERE candidate OR deleted_at IS NOT NULL;
ALTER TABLE connections DROP COLUMN deleted_at;
ALTER TABLE connections DROP COLUMN candidate;
ALTER TABLE connections DROP COLUMN login_path;
ALTER TABLE connections DROP COLUMN secret;
CREATE UNIQUE INDEX connections_of_company ON connections (company_seq) WHERE organization_seq IS NULL;
CREATE UNIQUE INDEX connections_of_organization ON connections (organization_seq)
    WHERE organization_seq IS NOT NULL;
DROP TABLE sealing_keys;
