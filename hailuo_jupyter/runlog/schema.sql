-- The tables of a run log, as of the version that `schema.py` names. `schema.py` says how they change.

CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL,
    provider TEXT NOT NULL,
    kind TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    notebook_id TEXT,
    cell_id TEXT,
    folder NOT NULL,
    job_id TEXT,
    owner TEXT,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    unfinished INTEGER NOT NULL,
    duration REAL,
    interrupted INTEGER NOT NULL DEFAULT 0,
    record_json TEXT NOT NULL,
    prompt TEXT NOT NULL DEFAULT '',
    note TEXT,
    name TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    rating INTEGER,
    sweep TEXT,
    notebook_path TEXT,
    cost_kind TEXT NOT NULL DEFAULT 'unknown',
    cost_low REAL,
    cost_high REAL,
    cost_actual REAL,
    took REAL,
    cost_confirmed INTEGER NOT NULL DEFAULT 0,
    elsewhere INTEGER NOT NULL DEFAULT 0,
    replaced_by TEXT,
    address TEXT,
    account TEXT,
    imported REAL
);

-- A run's row fills a page of the file, so its indexes hold all that a query reads before it chooses a
-- run. No query and no sum parses a record.
CREATE INDEX runs_fingerprint ON runs (fingerprint, notebook_id, created);
CREATE INDEX runs_state ON runs (state, created);
CREATE INDEX runs_provider ON runs (provider, created);
CREATE INDEX runs_updated ON runs (updated);
CREATE INDEX runs_tail ON runs (substr(run_id, -6));
CREATE INDEX runs_unfinished ON runs (created) WHERE unfinished = 1;
CREATE INDEX runs_kind ON runs (kind, created, duration)
    WHERE duration IS NOT NULL AND interrupted = 0;
CREATE INDEX runs_sweep ON runs (sweep) WHERE sweep IS NOT NULL;
CREATE INDEX runs_job ON runs (job_id, provider, run_id) WHERE job_id IS NOT NULL;

-- What the runs table filters and sorts by (`search.py`).
CREATE INDEX runs_created ON runs (created, state, provider, rating, run_id);
CREATE INDEX runs_notebook ON runs (
    notebook_id, created, state, provider, rating, took, cost_actual, cost_high, cost_low, run_id
);
CREATE INDEX runs_took ON runs (took, created);
CREATE INDEX runs_rating ON runs (rating, created);
CREATE INDEX runs_cost ON runs (
    CASE WHEN cost_actual IS NULL AND state IN ('rejected', 'failed') THEN NULL
    ELSE coalesce(cost_actual, cost_high, cost_low) END, created
);

-- What budgets and costs add up (`spending.py`).
CREATE INDEX runs_money ON runs (
    created, provider, notebook_id, state, owner, elsewhere,
    cost_kind, cost_low, cost_high, cost_actual, cost_confirmed
);
CREATE INDEX runs_money_notebook ON runs (
    notebook_id, created, provider, state, owner, elsewhere,
    cost_kind, cost_low, cost_high, cost_actual, cost_confirmed
);
CREATE INDEX runs_unsettled ON runs (created, run_id)
    WHERE (state = 'unconfirmed' OR (cost_confirmed = 0 AND cost_kind <> 'free'
    AND state IN ('completed', 'failed', 'expired')));

CREATE TABLE tags (
    tag TEXT NOT NULL,
    created REAL NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (tag, created, run_id)
) WITHOUT ROWID;

-- What a search for text reads: one line each for prompt, name, note and tags. Without a run it is one
-- that was removed. Earlier development versions kept a full-text index, `texts_index`, and noted in
-- `indexed` what was in it; nothing reads either.
CREATE TABLE texts (
    seq INTEGER PRIMARY KEY,
    run_id TEXT UNIQUE,
    body TEXT NOT NULL,
    indexed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX texts_waiting ON texts (seq) WHERE indexed = 0;

CREATE TRIGGER runs_inserted AFTER INSERT ON runs BEGIN
    INSERT INTO texts (run_id, body) VALUES (new.run_id,
        replace(new.prompt, char(10), ' ') || char(10) || coalesce(new.name, '') || char(10) ||
        coalesce(replace(new.note, char(10), ' '), '') || char(10) ||
        coalesce((SELECT group_concat(value, char(10)) FROM json_each(new.tags)), '')
    );
    INSERT OR IGNORE INTO tags
    SELECT value, new.created, new.run_id FROM json_each(new.tags);
END;
CREATE TRIGGER runs_reworded AFTER UPDATE OF prompt, name, note, tags ON runs BEGIN
    UPDATE texts SET body =
        replace(new.prompt, char(10), ' ') || char(10) || coalesce(new.name, '') || char(10) ||
        coalesce(replace(new.note, char(10), ' '), '') || char(10) ||
        coalesce((SELECT group_concat(value, char(10)) FROM json_each(new.tags)), ''),
        indexed = 0
    WHERE run_id = new.run_id;
    DELETE FROM tags WHERE (tag, created, run_id) IN (
        SELECT value, old.created, old.run_id FROM json_each(old.tags)
    );
    INSERT OR IGNORE INTO tags
    SELECT value, new.created, new.run_id FROM json_each(new.tags);
END;
CREATE TRIGGER runs_redated AFTER UPDATE OF created ON runs BEGIN
    UPDATE OR REPLACE tags SET created = new.created
    WHERE (tag, created, run_id) IN (
        SELECT value, old.created, old.run_id FROM json_each(old.tags)
    );
END;
CREATE TRIGGER runs_deleted AFTER DELETE ON runs BEGIN
    UPDATE texts SET run_id = NULL, body = '', indexed = 0 WHERE run_id = old.run_id;
    DELETE FROM tags WHERE (tag, created, run_id) IN (
        SELECT value, old.created, old.run_id FROM json_each(old.tags)
    );
END;

-- What a sweep is to buy in all, so that a later kernel can go on with it (`queries.py`).
CREATE TABLE sweeps (
    sweep TEXT PRIMARY KEY,
    notebook_id TEXT,
    digest TEXT NOT NULL,
    created REAL NOT NULL,
    stopped INTEGER NOT NULL DEFAULT 0,
    plan_json TEXT NOT NULL
);
CREATE INDEX sweeps_digest ON sweeps (digest, notebook_id, created);

-- What was paid for runs that were taken out of the log: money that was spent stays spent.
CREATE TABLE forgotten (
    run_id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    provider TEXT NOT NULL,
    notebook_id TEXT,
    notebook_path TEXT,
    job_id TEXT,
    state TEXT NOT NULL,
    cost_kind TEXT NOT NULL,
    cost_high REAL,
    cost_actual REAL,
    cost_low REAL,
    cost_confirmed INTEGER NOT NULL DEFAULT 0,
    elsewhere INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Accounts and their rate limits (`accounts.py`, `rate_limits.py`).
CREATE TABLE "account_salt" (value BLOB NOT NULL);
CREATE TABLE requests_sent (
    account TEXT NOT NULL,
    at REAL NOT NULL,
    refused INTEGER NOT NULL
);
CREATE INDEX requests_sent_account ON requests_sent (account, at);
CREATE TABLE rate_limits (account TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE request_queues (
    account TEXT NOT NULL,
    owner TEXT NOT NULL,
    at REAL NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (account, owner)
) WITHOUT ROWID;

-- Which ids are the same notebook's, and where it is (`notebooks.py`).
CREATE TABLE notebooks (
    notebook_id TEXT NOT NULL,
    place BLOB NOT NULL,
    PRIMARY KEY (notebook_id, place)
) WITHOUT ROWID;
CREATE TABLE notebook_aliases (
    notebook_id TEXT NOT NULL,
    alias TEXT NOT NULL,
    PRIMARY KEY (notebook_id, alias)
) WITHOUT ROWID;
CREATE INDEX notebook_aliases_alias ON notebook_aliases (alias);

-- Which of two keys counts in a folder (`key_choices.py`).
CREATE TABLE key_choices (
    folder NOT NULL,
    provider TEXT NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (folder, provider)
) WITHOUT ROWID;

-- Whether an owner that holds its lock still does something (`heartbeats.py`).
CREATE TABLE heartbeats (
    owner TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    at REAL NOT NULL,
    host TEXT NOT NULL
) WITHOUT ROWID;

-- SQLite seeds its generator from the system's.
INSERT INTO account_salt VALUES (randomblob(16));
