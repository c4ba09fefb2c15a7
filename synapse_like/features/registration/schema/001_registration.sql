-- Given out by GET /_synapse/admin/v1/register, good once and for a minute.
CREATE TABLE registration_nonces (
    nonce TEXT PRIMARY KEY,
    created_ms BIGINT NOT NULL
);
