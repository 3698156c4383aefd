DROP TABLE connection_logins;
DROP INDEX invitations_by_email;
DROP TABLE social_connections;
DROP TABLE login_attempts;
