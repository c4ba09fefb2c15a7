-- Keys of other servers, as they published them. Written by any process; whoever fetches a key writes what it found.
CREATE TABLE server_keys (
    server_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    verify_key TEXT NOT NULL,          -- base64
    valid_until_ms BIGINT NOT NULL,    -- of an old key: when it expired
    is_old SMALLINT NOT NULL,
    fetched_ms BIGINT NOT NULL,
    document_id TEXT NOT NULL,         -- what it comes from
    PRIMARY KEY (server_name, key_id)
);

-- What servers published and signed, for those that ask us; kept while a key comes from it.
CREATE TABLE server_key_documents (
    server_name TEXT NOT NULL,
    document_id TEXT NOT NULL,         -- the SHA-256 of the document
    document TEXT NOT NULL,
    PRIMARY KEY (server_name, document_id)
);
