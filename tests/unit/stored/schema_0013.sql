-- A new, empty log as the code of 2026-11-28 made it by its thirteen steps. Never changed.
CREATE TABLE migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL);
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
                record_json TEXT NOT NULL
            , prompt TEXT NOT NULL DEFAULT '', note TEXT, name TEXT, tags TEXT NOT NULL DEFAULT '[]', rating INTEGER, sweep TEXT, notebook_path TEXT, cost_kind TEXT NOT NULL DEFAULT 'unknown', cost_low REAL, cost_high REAL, cost_actual REAL, took REAL, cost_confirmed INTEGER NOT NULL DEFAULT 0, elsewhere INTEGER NOT NULL DEFAULT 0, replaced_by TEXT, address TEXT, account TEXT, imported REAL);
CREATE INDEX runs_fingerprint ON runs (fingerprint, notebook_id, created);
CREATE INDEX runs_state ON runs (state, created);
CREATE INDEX runs_provider ON runs (provider, created);
CREATE INDEX runs_updated ON runs (updated);
CREATE INDEX runs_tail ON runs (substr(run_id, -6));
CREATE INDEX runs_unfinished ON runs (created) WHERE unfinished = 1;
CREATE INDEX runs_kind ON runs (kind, created, duration)
            WHERE duration IS NOT NULL AND interrupted = 0;
CREATE INDEX runs_sweep ON runs (sweep) WHERE sweep IS NOT NULL;
CREATE INDEX runs_created ON runs (created, state, provider, rating, run_id);
CREATE INDEX runs_notebook ON runs (
                notebook_id, created, state, provider, rating, took,
                cost_actual, cost_high, cost_low, run_id
            );
CREATE INDEX runs_took ON runs (took, created);
CREATE INDEX runs_rating ON runs (rating, created);
CREATE INDEX runs_cost ON runs (
                CASE WHEN cost_actual IS NULL AND state IN ('rejected', 'failed') THEN NULL
                ELSE coalesce(cost_actual, cost_high, cost_low) END, created
            );
CREATE TABLE tags (
                tag TEXT NOT NULL,
                created REAL NOT NULL,
                run_id TEXT NOT NULL,
                PRIMARY KEY (tag, created, run_id)
            ) WITHOUT ROWID;
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
    coalesce((SELECT group_concat(value, char(10)) FROM json_each(new.tags)), '')
, indexed = 0
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
CREATE INDEX runs_job ON runs (job_id, provider, run_id) WHERE job_id IS NOT NULL;
CREATE TABLE sweeps (
                sweep TEXT PRIMARY KEY,
                notebook_id TEXT,
                digest TEXT NOT NULL,
                created REAL NOT NULL,
                stopped INTEGER NOT NULL DEFAULT 0,
                plan_json TEXT NOT NULL
            );
CREATE INDEX sweeps_digest ON sweeps (digest, notebook_id, created);
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
                cost_actual REAL
            , cost_low REAL, cost_confirmed INTEGER NOT NULL DEFAULT 0, elsewhere INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
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
CREATE TABLE requests_sent (
                account TEXT NOT NULL,
                at REAL NOT NULL,
                refused INTEGER NOT NULL
            );
CREATE TABLE "account_salt" (value BLOB NOT NULL);
CREATE INDEX requests_sent_account ON requests_sent (account, at);
CREATE TABLE rate_limits (account TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE request_queues (
                account TEXT NOT NULL,
                owner TEXT NOT NULL,
                at REAL NOT NULL,
                entries TEXT NOT NULL,
                PRIMARY KEY (account, owner)
            ) WITHOUT ROWID;
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
CREATE TABLE key_choices (
                folder NOT NULL,
                provider TEXT NOT NULL,
                place TEXT NOT NULL,
                PRIMARY KEY (folder, provider)
            ) WITHOUT ROWID;
CREATE TABLE heartbeats (
                owner TEXT PRIMARY KEY,
                count INTEGER NOT NULL,
                at REAL NOT NULL,
                host TEXT NOT NULL
            ) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts_index USING fts5 (body, tokenize = 'trigram', columnsize = 0);
INSERT INTO migrations VALUES ('0001_runs', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0002_pacing', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0003_columns', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0004_search', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0005_money', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0006_sweeps', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0007_forgotten', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0008_counted', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0009_rate_limits', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0010_notebooks', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0011_accounts', '2026-11-29T01:37:04Z');
INSERT INTO migrations VALUES ('0012_key_choices', '2026-11-29T01:37:05Z');
INSERT INTO migrations VALUES ('0013_heartbeats', '2026-11-29T01:37:05Z');
INSERT INTO account_salt VALUES (x'000102030405060708090a0b0c0d0e0f');
