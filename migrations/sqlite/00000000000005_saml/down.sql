DROP TABLE saml_names;
DROP TABLE saml_assertions;
DROP TABLE saml_keys;
