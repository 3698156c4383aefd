DROP TABLE logout_notices;
DROP TABLE signing_keys;
DROP TABLE oauth_grants;
DROP TABLE authorization_requests;
DROP TABLE applications;
DROP INDEX sessions_by_end;
DROP INDEX sessions_by_connection;
DROP INDEX sessions_in_order;
ALTER TABLE sessions DROP COLUMN idp_session;
