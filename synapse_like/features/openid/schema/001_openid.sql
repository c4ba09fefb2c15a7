-- Tokens are stored as their SHA-256.
CREATE TABLE openid_tokens (
    token_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    expires_ms BIGINT NOT NULL
);

-- "Which tokens have expired?" (cleaning up)
CREATE INDEX openid_tokens_by_expiry ON openid_tokens (expires_ms);

-- "Which tokens has this user?" (deactivation)
CREATE INDEX openid_tokens_by_user ON openid_tokens (user_id);
