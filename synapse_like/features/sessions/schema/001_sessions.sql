-- Devices of local users. A deleted one stays for a while, so that readers can be told.
CREATE TABLE devices (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    changed_ms BIGINT NOT NULL,
    is_deleted SMALLINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- "Which devices changed in this shard's log between M and N?" (refilling a gap)
CREATE INDEX devices_by_log ON devices (number);

-- "Which deleted devices may be forgotten?"
CREATE INDEX devices_deleted ON devices (changed_ms) WHERE is_deleted = 1;

-- Written behind, now and then.
CREATE TABLE device_sightings (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    seen_ms BIGINT NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- token_hash: SHA-256 of the token. refresh_id: the refresh token that was given out with it.
-- replaces: the refresh token that ends when this one is used for the first time.
CREATE TABLE access_tokens (
    token_hash TEXT PRIMARY KEY,
    token_id BIGINT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    valid_until_ms BIGINT,
    validated_ms BIGINT NOT NULL,
    refresh_id BIGINT,
    replaces BIGINT
);

-- "Which tokens does this device have?"
CREATE INDEX access_tokens_by_device ON access_tokens (user_id, device_id);

CREATE TABLE refresh_tokens (
    token_hash TEXT PRIMARY KEY,
    refresh_id BIGINT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    valid_until_ms BIGINT,
    session_until_ms BIGINT,
    replaces BIGINT
);

-- "Which refresh tokens does this device have?"
CREATE INDEX refresh_tokens_by_device ON refresh_tokens (user_id, device_id);

-- When tokens of a user were last revoked.
CREATE TABLE token_revocations (
    user_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL
);

-- "Whose tokens were revoked in this shard's log between M and N?" (refilling a gap)
CREATE INDEX token_revocations_by_log ON token_revocations (number);
