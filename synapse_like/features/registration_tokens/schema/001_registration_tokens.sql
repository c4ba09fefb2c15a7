-- pending: registrations under way that have shown the token; completed: accounts made with it.
CREATE TABLE registration_tokens (
    token TEXT PRIMARY KEY,
    uses_allowed BIGINT,
    pending BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    expiry_ms BIGINT
);

-- Which registration (by its session of authentication) has shown which token.
CREATE TABLE registration_token_claims (
    session_id TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- "Which claims are so old that nobody will finish them?"
CREATE INDEX registration_token_claims_by_time ON registration_token_claims (created_ms);
